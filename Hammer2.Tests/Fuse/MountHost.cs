// The entry point of the test program itself when it is started as a child of a test: a process that holds a mount until it is
// killed. The test runner never comes here.
// Layers: Fuse.

using Hammer2.Fuse;

namespace Hammer2.Tests.Fuse;

internal static class MountHost
{
    private static int Main(string[] arguments)
    {
        if (arguments is not ["--hold-mount", var target])
        {
            Console.Error.WriteLine("These tests are run with: dotnet test");
            return 2;
        }

        using var mount = FuseMount.Mount(new FakeFileSystem(), "held", target, new FuseMountOptions());
        Console.WriteLine("mounted");
        mount.WaitForUnmount(CancellationToken.None);
        return 0;
    }
}
