// What tests do to a mounted file from a process of its own: everything with mappings. Inside the process that serves the mount
// a thread that waits for a mapped page would hold locks of the address space that the serving threads need.
// Layers: libc (Posix, BytePaths).

using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Hammer2.Tests.Fuse;

internal static class ClientProgram
{
    /// <summary>First argument of a process that is such a client.</summary>
    public const string Argument = "--client";

    /// <summary>Runs a client to its end; it must succeed.</summary>
    public static void Run(TimeSpan deadline, params string[] arguments)
    {
        using var client = Start(arguments);
        var complaint = client.StandardError.ReadToEndAsync();
        var output = client.StandardOutput.ReadToEndAsync();
        if (!client.WaitForExit(deadline))
        {
            client.Kill();
            Assert.Fail($"{string.Join(' ', arguments)} hangs");
        }

        Console.Write(output.Result);
        Assert.AreEqual(0, client.ExitCode, output.Result + complaint.Result);
    }

    /// <summary>Starts a client whose input and output the test talks with.</summary>
    public static Process Start(params string[] arguments)
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] command = ["exec", typeof(ClientProgram).Assembly.Location, Argument, .. arguments];
        return Process.Start(new ProcessStartInfo(dotnet, command)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    /// <summary>The client's side.</summary>
    public static int Serve(string[] arguments)
    {
        try
        {
            switch (arguments)
            {
                case ["shared", var path, var flags]:
                    MapShared(path, int.Parse(flags, CultureInfo.InvariantCulture));
                    return 0;
                case ["private", var path]:
                    MapPrivate(path);
                    return 0;
                case ["hold", var path]:
                    Hold(path);
                    return 0;
                case ["random", var path, var seed, var seconds]:
                    new RandomFileOperations(path, int.Parse(seed, CultureInfo.InvariantCulture))
                        .Run(TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)));
                    return 0;
                default:
                    Console.Error.WriteLine("unknown: " + string.Join(' ', arguments));
                    return 2;
            }
        }
        catch (Exception exception)
        {
            Console.Error.WriteLine(exception);
            return 1;
        }
    }

    private static int Open(string path, int flags)
    {
        var descriptor = BytePaths.Open(Encoding.UTF8.GetBytes(path), flags);
        Assert.IsGreaterThanOrEqualTo(0, descriptor, path);
        return descriptor;
    }

    private static void MapShared(string path, int flags)
    {
        var descriptor = Open(path, Posix.ReadWrite | flags);
        using var map = Posix.Map(descriptor, 300_000, shared: true);
        CollectionAssert.AreEqual(ChangeTestBase.Pattern(300_000, 5), map.ToArray());
        map.Fill(100_000, 10, 0xAA);
        map.Sync();
        Assert.AreEqual(0xAA, File.ReadAllBytes(path)[100_005]);
        var filled = new byte[4096];
        filled.AsSpan().Fill(0xBB);
        Assert.AreEqual(4096, Posix.Write(descriptor, filled, 200_704));
        Assert.AreEqual(0xBB, map[200_704]);
        map[299_999] = 0xCC;
        BytePaths.Close(descriptor);
    }

    private static void MapPrivate(string path)
    {
        var descriptor = Open(path, Posix.ReadWrite);
        using var map = Posix.Map(descriptor, 10_000, shared: false);
        map.Fill(0, 10_000, 1);
        Assert.AreEqual(1, map[9_999]);
        BytePaths.Close(descriptor);
    }

    // Changes mapped memory and keeps it mapped until the test says so.
    private static void Hold(string path)
    {
        var descriptor = Open(path, Posix.ReadWrite);
        using var map = Posix.Map(descriptor, 100_000, shared: true);
        map.Fill(0, 100_000, 7);
        Console.WriteLine("mapped");
        Console.In.ReadLine();
        BytePaths.Close(descriptor);
    }
}
