// The entry point of the test program itself when it is started as a child of a test: a process that holds a mount until it is
// killed, or one that uses a mount (ClientProgram). The test runner never comes here.
// Layers: Fuse.

using Hammer2.Fuse;

namespace Hammer2.Tests.Fuse;

internal static class MountHost
{
    /// <summary>What the mount table shows; with everything that needs care on its way there.</summary>
    public const string Source = @"held a,b\c";

    private static int Main(string[] arguments)
    {
        if (arguments is [ClientProgram.Argument, .. var scenario])
            return ClientProgram.Serve(scenario);
        if (Open(arguments) is not { } mounted)
        {
            Console.Error.WriteLine("These tests are run with: dotnet test");
            return 2;
        }

        using var mount = mounted;
        Console.WriteLine($"mounted {mount.WatcherProcessId}");
        using var unmount = new CancellationTokenSource();
        _ = Task.Run(() =>
        {
            // A line from the test asks for an orderly end.
            if (Console.In.ReadLine() is not null)
                unmount.Cancel();
        });
        mount.WaitForUnmount(unmount.Token);
        return 0;
    }

    // The filesystem in memory can be held by hand too, for tools and measurements beside the tests.
    private static FuseMount? Open(string[] arguments) => arguments switch
    {
        ["--hold-mount", var target] =>
            FuseMount.Mount(new FakeFileSystem(), Source, target, new FuseMountOptions { ReadOnly = true }),
        ["--hold-memory", var target, .. var choices] => FuseMount.Mount(
            new MemoryFileSystem(), "memory", target, new FuseMountOptions { WritebackCache = choices.Contains("writeback") }),
        _ => null,
    };
}
