// Starting a mount in a process of its own. Invariants: the parent returns only when the child said that it
// is mounted (its first line on stdout) or has ended; the child's stderr is the parent's until then, so that
// a failure is seen; afterwards the child holds nothing of the terminal. Calls libc on Unix.

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hammer2.Cli.Mounting;

/// <summary>Both sides of <c>mount --background</c>.</summary>
internal static partial class BackgroundMount
{
    /// <summary>Hidden option that makes a mount the child.</summary>
    public const string ChildOption = "--background-child";

    /// <summary>Starts the child and waits for its word.</summary>
    public static int Start(VerbContext context, string image, string target, IEnumerable<string> choices)
    {
        using Process child = Process.Start(SelfProcess.With(ArgumentsOf(context, image, target, choices)))
            ?? throw new IOException("the background process could not be started");
        child.StandardInput.Close();
        using CancellationTokenRegistration stopping = context.Stop.Register(() => Kill(child));
        Task errors = Task.Run(() => RelayErrors(child, context.Terminal.Error));
        string? line = child.StandardOutput.ReadLine();
        if (line is null)
        {
            child.WaitForExit();
            errors.Wait();
            context.Stop.ThrowIfCancellationRequested();
            return child.ExitCode == ExitCode.Success ? ExitCode.CannotOpen : child.ExitCode;
        }

        context.Terminal.Output.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        return ExitCode.Success;
    }

    /// <summary>In the child, first of all: out of the terminal's session, so that its signals do not end the mount.</summary>
    public static void LeaveSession()
    {
        if (!OperatingSystem.IsWindows())
            _ = SetSession();
    }

    /// <summary>In the child, once mounted: the streams that lead to the parent are replaced by nothing.</summary>
    public static void LetGoOfParent()
    {
        if (OperatingSystem.IsWindows())
        {
            Console.SetOut(TextWriter.Null);
            Console.SetError(TextWriter.Null);
            return;
        }

        int nothing = Open("/dev/null", 2);
        if (nothing < 0)
            return;
        for (int descriptor = 0; descriptor <= 2; descriptor++)
            _ = Duplicate(nothing, descriptor);
    }

    private static IEnumerable<string> ArgumentsOf(VerbContext context, string image, string target, IEnumerable<string> choices)
    {
        yield return "mount";
        yield return ChildOption;
        if (context.Json)
            yield return GlobalOptions.Json.Name;
        if (context.Verbose)
            yield return GlobalOptions.Verbose.Name;
        foreach (string argument in context.EngineArguments.Concat(choices))
            yield return argument;
        yield return "--";
        yield return image;
        yield return target;
    }

    private static void RelayErrors(Process child, TextWriter error)
    {
        while (child.StandardError.ReadLine() is { } line)
            error.WriteLine(line);
    }

    private static void Kill(Process child)
    {
        try
        {
            child.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself meanwhile, which is what was wanted.
        }
    }

    [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int from, int to);
}
