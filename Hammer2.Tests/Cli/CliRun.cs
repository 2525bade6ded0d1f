// Runs the command inside the test's process: arguments in, exit code and both streams out. Images are unpacked
// once per test run into a folder of their own, read-only, and removed at the end of the process.

using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Hammer2.Cli;
using Hammer2.Cli.Mounting;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

/// <summary>The outcome of one run.</summary>
internal sealed record CliRun(int ExitCode, byte[] OutputBytes, string Error)
{
    private static readonly Lazy<string> s_folder = new(MakeFolder);
    private static readonly ConcurrentDictionary<string, Lazy<string>> s_images = new();

    /// <summary>Standard output as text.</summary>
    public string Output => Encoding.UTF8.GetString(OutputBytes);

    /// <summary>The lines of standard output.</summary>
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Standard output as JSON; fails when it is none.</summary>
    public JsonElement Json => JsonDocument.Parse(OutputBytes).RootElement;

    /// <summary>Runs the command.</summary>
    public static CliRun Of(params string[] args) => On(null, args);

    /// <summary>Runs the command with another way of mounting.</summary>
    public static CliRun On(IMountHost? host, string[] args, CancellationToken stop = default)
    {
        var output = new MemoryStream();
        var error = new StringWriter { NewLine = "\n" };
        int code = Program.Run(args, new Terminal(output, TextWriter.Synchronized(error), Stop: stop), host);
        return new CliRun(code, output.ToArray(), error.ToString());
    }

    /// <summary>Path of an unpacked golden image; several volumes with colons between.</summary>
    public static string Image(string name) => s_images.GetOrAdd(name, static key => new Lazy<string>(() => Unpack(key))).Value;

    /// <summary>Fails unless the run ended as expected; the message has both streams.</summary>
    public CliRun Expect(int exitCode)
    {
        Assert.AreEqual(exitCode, ExitCode, $"exit code; stdout: {Output[..Math.Min(500, Output.Length)]} stderr: {Error}");
        return this;
    }

    /// <summary>Fails unless stderr is one line that contains the words and no stack trace.</summary>
    public CliRun ExpectOneLine(params string[] words)
    {
        string line = Error.TrimEnd('\n');
        Assert.IsFalse(line.Contains('\n', StringComparison.Ordinal), "more than one line: " + Error);
        StringAssert.StartsWith(line, "hammer2: ");
        foreach (string word in words)
            StringAssert.Contains(line, word);
        Assert.IsFalse(line.Contains("   at ", StringComparison.Ordinal), "a stack trace: " + Error);
        return this;
    }

    private static string Unpack(string name)
    {
        string[] paths = GoldenImages.Get(name).UnpackTo(s_folder.Value);
        foreach (string path in paths)
            File.SetAttributes(path, FileAttributes.ReadOnly);
        return string.Join(':', paths);
    }

    private static string MakeFolder()
    {
        string folder = Directory.CreateTempSubdirectory("hammer2-cli-images-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            foreach (string path in Directory.GetFiles(folder))
                File.SetAttributes(path, FileAttributes.Normal);
            Directory.Delete(folder, recursive: true);
        };
        return folder;
    }
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("hammer2-cli-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
