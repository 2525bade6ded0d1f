// What the tests of changes through a real kernel share: something to mount that can be changed. The same tests run over the
// filesystem in memory, which proves the protocol and what the kernel is told, and over the engine on a copy of an empty image.
// Layers: Fuse (public entry), Engine (public entry).

using System.Text;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using Hammer2.Fuse;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Fuse;

/// <summary>What is mounted.</summary>
internal abstract class ChangeBacking : IDisposable
{
    /// <summary>Mounts it; what it holds outlives the mount.</summary>
    public abstract FuseMount Mount(string target, FuseMountOptions options);

    /// <summary>Objects without names that are kept for the kernel or for handles.</summary>
    public abstract int Nameless { get; }

    public abstract void Dispose();
}

internal sealed class MemoryBacking : ChangeBacking
{
    public MemoryFileSystem FileSystem { get; } = new();

    public override int Nameless => FileSystem.Nameless;

    public override FuseMount Mount(string target, FuseMountOptions options) => FuseMount.Mount(FileSystem, "memory", target, options);

    public override void Dispose() => FileSystem.Dispose();
}

/// <summary>An image that is opened for writing with each mount and closed before the next.</summary>
internal sealed class Hammer2Backing : ChangeBacking
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hammer2-changes-").FullName;
    private readonly string _path;
    private Hammer2Volume? _volume;
    private PfsMount? _pfs;

    public Hammer2Backing() => _path = GoldenImages.Get("empty").UnpackTo(_folder).Single();

    public string ImagePath => _path;

    // What an unmounted image has open is nothing; the root of a mounted one may be.
    public override int Nameless => _pfs?.OpenInodes ?? 0;

    public override FuseMount Mount(string target, FuseMountOptions options)
    {
        Close();
        _volume = Hammer2Volume.Open(_path, new VolumeOptions { Writable = true });
        if (!_volume.IsWritable)
            Assert.Inconclusive("SKIPPED: the engine does not write yet, so nothing was changed on an image.");
        _pfs = _volume.OpenPfs();
        return FuseMount.Mount(_pfs, target, options);
    }

    /// <summary>Commits and closes; throws what goes wrong.</summary>
    public void Close()
    {
        var volume = _volume;
        _pfs?.Dispose();
        _pfs = null;
        _volume = null;
        volume?.Dispose();
    }

    public override void Dispose()
    {
        Close();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A mounted backing per test.</summary>
public abstract class ChangeTestBase : KernelTestBase
{
    private ChangeBacking? _backing;

    internal FuseMount Mount { get; private set; } = null!;

    internal ChangeBacking Backing => _backing!;

    /// <summary>Choices for the mount.</summary>
    internal virtual FuseMountOptions Options => new();

    internal abstract ChangeBacking Open();

    [TestInitialize]
    public void MountBacking()
    {
        _backing = Open();
        Mount = _backing.Mount(Target, Options);
    }

    [TestCleanup]
    public void UnmountBacking()
    {
        Mount?.Dispose();
        _backing?.Dispose();
    }

    /// <summary>Ends the mount and mounts again, with nothing cached by the kernel.</summary>
    internal void Remount()
    {
        Mount.Dispose();
        Mount = Backing.Mount(Target, Options);
    }

    internal int OpenFile(string path, int flags)
    {
        var descriptor = BytePaths.Open(At(path), flags);
        Assert.IsGreaterThanOrEqualTo(0, descriptor, $"open {path}: {descriptor}");
        return descriptor;
    }

    internal FileStatus Status(string path)
    {
        Assert.AreEqual(0, BytePaths.Status(At(path), out var status), path);
        return status;
    }

    /// <summary>What fstat shows.</summary>
    internal static FileStatus Status(int descriptor)
    {
        Assert.AreEqual(0, BytePaths.Status(descriptor, out var status));
        return status;
    }

    /// <summary>Names in a directory, sorted, without dots.</summary>
    internal string[] Names(string directory = "")
    {
        Assert.AreEqual(0, BytePaths.List(At(directory), out var names), directory);
        return [.. names.Select(entry => Encoding.UTF8.GetString(entry.Name)).Where(name => name is not ("." or "..")).Order(StringComparer.Ordinal)];
    }

    /// <summary>Runs a shell line in the mount, as another user if asked to, and returns its exit code and output.</summary>
    internal (int Status, string Output) Shell(string line, string? user = null)
    {
        string[] command = ["sh", "-c", "cd \"$1\" && " + line, "sh", Target];
        if (user is not null)
            command = ["setpriv", "--reuid=" + user, "--regid=nogroup", "--clear-groups", .. command];
        return Run(command[0], command[1..]);
    }

    internal void ShellOk(string line, string? user = null)
    {
        var (status, output) = Shell(line, user);
        Assert.AreEqual(0, status, $"{line}\n{output}");
    }

    internal static byte[] Pattern(int length, int seed)
    {
        var data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }
}
