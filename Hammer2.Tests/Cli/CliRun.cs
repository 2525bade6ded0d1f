// Runs the command inside the test's process: arguments in, exit code and both streams out. Images are unpacked
// when first asked for into a folder of their own, read-only, shared by the classes that run side by side, and
// removed when the last of these classes is done.

using System.Text;
using System.Text.Json;
using Hammer2.Cli;
using Hammer2.Cli.Mounting;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

/// <summary>The outcome of one run.</summary>
internal sealed record CliRun(int ExitCode, byte[] OutputBytes, string Error)
{
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, string> s_images = [];
    private static TemporaryFolder? s_folder;
    private static int s_users;

    /// <summary>Standard output as text.</summary>
    public string Output => Encoding.UTF8.GetString(OutputBytes);

    /// <summary>The lines of standard output.</summary>
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Standard output as JSON; fails when it is none.</summary>
    public JsonElement Json => JsonDocument.Parse(OutputBytes).RootElement;

    /// <summary>Runs the command.</summary>
    public static CliRun Of(params string[] args) => On(null, args);

    /// <summary>Runs the command with another way of mounting.</summary>
    public static CliRun On(IMountHost? host, string[] args, CancellationToken stop = default) => On(host, args, null, stop);

    /// <summary>Runs the command with standard input.</summary>
    public static CliRun On(IMountHost? host, string[] args, Stream? input, CancellationToken stop)
    {
        var output = new MemoryStream();
        var error = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(output, TextWriter.Synchronized(error), Stop: stop) { Input = input };
        int code = Program.Run(args, terminal, host);
        return new CliRun(code, output.ToArray(), error.ToString());
    }

    /// <summary>Path of an unpacked golden image; several volumes with colons between.</summary>
    public static string Image(string name)
    {
        lock (s_gate)
        {
            if (!s_images.TryGetValue(name, out string? paths))
                s_images.Add(name, paths = Unpack(name));
            return paths;
        }
    }

    /// <summary>A test class begins to use images.</summary>
    public static void AcquireImages()
    {
        lock (s_gate)
            s_users++;
    }

    /// <summary>A test class is done with images; the last one removes them.</summary>
    public static void ReleaseImages()
    {
        lock (s_gate)
        {
            if (--s_users > 0)
                return;
            s_images.Clear();
            s_folder?.Dispose();
            s_folder = null;
        }
    }

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
        s_folder ??= new TemporaryFolder();
        string[] paths = GoldenImages.Get(name).UnpackTo(s_folder.Path);
        foreach (string path in paths)
            File.SetAttributes(path, FileAttributes.ReadOnly);
        return string.Join(':', paths);
    }
}

/// <summary>Base of the test classes that use unpacked images.</summary>
public abstract class CliTests
{
    [ClassInitialize(InheritanceBehavior.BeforeEachDerivedClass)]
    public static void AcquireImages(TestContext context) => CliRun.AcquireImages();

    [ClassCleanup(InheritanceBehavior.BeforeEachDerivedClass)]
    public static void ReleaseImages() => CliRun.ReleaseImages();
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("hammer2-cli-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        // Windows does not delete what is read-only.
        foreach (string path in Directory.GetFiles(Path))
            File.SetAttributes(path, FileAttributes.Normal);
        Directory.Delete(Path, recursive: true);
    }
}
