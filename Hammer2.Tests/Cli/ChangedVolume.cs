// A volume for tests of the writing verbs, in both of their worlds: an image that they open themselves, and a PFS that is
// mounted (played by a folder that a mount host lists). Invariants: what a test sees is read back through a new opening,
// never through what the verb had open; everything is gone after the test.

using System.Text;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

/// <summary>How the verbs reach the volume.</summary>
public enum Reach
{
    /// <summary>They open the image.</summary>
    Image,

    /// <summary>They act through its mount.</summary>
    Mount,
}

/// <summary>A volume to change.</summary>
internal sealed class ChangedVolume : IDisposable
{
    private const string EmptyImage = "empty";
    private readonly TemporaryFolder _folder = new();
    private readonly Reach _reach;

    public ChangedVolume(Reach reach)
    {
        _reach = reach;
        if (reach == Reach.Mount)
        {
            if (OperatingSystem.IsWindows())
                Assert.Inconclusive("the folder that plays the mount keeps modes and links of Unix");
            Directory.CreateDirectory(_folder["mnt"]);
            Image = _folder["disk.img"] + "@DATA";
            return;
        }

        Image = GoldenImages.Get(EmptyImage).UnpackTo(_folder.Path)[0];
        using Hammer2Volume volume = Hammer2Volume.Open(Image, new VolumeOptions { Writable = true });
        if (!volume.IsWritable)
            Assert.Inconclusive("the engine does not write yet");
    }

    /// <summary>As the verbs are given it.</summary>
    public string Image { get; }

    /// <summary>A folder of the host beside the volume.</summary>
    public string Host(string name) => _folder[name];

    /// <summary>Runs <c>hammer2 VERB IMAGE ARGS</c>; an argument "IMAGE" elsewhere moves it there.</summary>
    public CliRun Run(string verb, params string[] args) => RunWith(null, verb, args);

    /// <summary>The same with standard input.</summary>
    public CliRun RunWith(byte[]? input, string verb, params string[] args)
    {
        string[] all = args.Contains("IMAGE")
            ? [verb, .. args.Select(arg => arg == "IMAGE" ? Image : arg)]
            : [verb, Image, .. args];
        return CliRun.On(MountHost, all, input is null ? null : new MemoryStream(input), CancellationToken.None);
    }

    /// <summary>Everything that mounts of this volume are known by.</summary>
    public IMountHost MountHost => new ListingHost(
        _reach == Reach.Mount ? [new MountedVolume(_folder["disk.img"], "DATA", _folder["mnt"], ReadOnly: false, null)] : []);

    /// <summary>Attributes of a path; fails when there is nothing.</summary>
    public InodeAttributes Stat(string path) => With(path, static node => node.GetAttributes());

    public bool Exists(string path)
    {
        using Opened opened = Open();
        using TreePlace place = new TreePaths(opened.Tree).Find(path, followLast: false);
        return place.Node is not null;
    }

    public byte[] Bytes(string path) => With(path, static node =>
    {
        byte[] bytes = new byte[node.GetAttributes().Size];
        Assert.AreEqual(bytes.Length, node.Read(0, bytes));
        return bytes;
    });

    public string Text(string path) => Encoding.UTF8.GetString(Bytes(path));

    public string Target(string path) => Encoding.UTF8.GetString(With(path, static node => node.ReadLink()));

    /// <summary>Names of a directory, sorted, with spaces between.</summary>
    public string Names(string path) => With(path, static node => string.Join(
        ' ', node.ReadDirectory().Select(static listed => Encoding.UTF8.GetString(listed.Name)).Order(StringComparer.Ordinal)));

    /// <summary>A read of part of a file.</summary>
    public byte[] BytesAt(string path, long offset, int length) => With(path, node =>
    {
        byte[] bytes = new byte[length];
        return bytes[..node.Read(offset, bytes)];
    });

    /// <summary>Puts a file in place without the verb under test.</summary>
    public void Have(string path, string text, uint mode = 0x1A4)
    {
        using Opened opened = Open(writable: true);
        string? above = null;
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries).SkipLast(1))
        {
            using TreePlace step = new TreePaths(opened.Tree).Find(above += "/" + part, followLast: true);
            if (step.Node is null)
                Make(step, ObjectType.Directory, 0x1ED).Dispose();
        }

        using TreePlace place = new TreePaths(opened.Tree).Find(path, followLast: true);
        using IFileNode file = Make(place, ObjectType.File, mode);
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, Encoding.UTF8.GetBytes(text)));
        opened.Tree.Commit();
    }

    public void Dispose() => _folder.Dispose();

    private static IFileNode Make(TreePlace place, ObjectType type, uint mode)
    {
        Hammer2Error error = place.Directory.TryCreate(place.Name, new NewInode { Type = type, Mode = mode }, out IFileNode? made);
        Assert.AreEqual(Hammer2Error.None, error);
        return made!;
    }

    private T With<T>(string path, Func<IFileNode, T> look)
    {
        using Opened opened = Open();
        using TreePlace place = new TreePaths(opened.Tree).FindExisting(path, followLast: false);
        if (place.Node!.Type != ObjectType.File)
            return look(place.Node);
        Assert.AreEqual(Hammer2Error.None, place.Directory.TryLookup(place.Name, NodeUse.Read, out IFileNode? file));
        using (file)
            return look(file!);
    }

    private Opened Open(bool writable = false)
    {
        if (_reach == Reach.Mount)
            return new Opened(HostTrees.Of(_folder["mnt"]), null);
        Hammer2Volume volume = Hammer2Volume.Open(Image, new VolumeOptions { Writable = writable });
        return new Opened(new EngineTree(volume.OpenPfs()), volume);
    }

    private sealed record Opened(IFileTree Tree, Hammer2Volume? Volume) : IDisposable
    {
        public void Dispose()
        {
            Tree.Dispose();
            Volume?.Dispose();
        }
    }

    /// <summary>Knows of mounts and makes none.</summary>
    internal sealed class ListingHost(IReadOnlyList<MountedVolume> mounts) : IMountHost
    {
        public string? WhyUnavailable() => "this host only lists";

        public IMountSession Mount(MountRequest request) => throw new IOException(WhyUnavailable());

        public void Unmount(string target) => throw new IOException(WhyUnavailable());

        public IReadOnlyList<MountedVolume> List() => mounts;

        public string PickTarget() => throw new IOException(WhyUnavailable());

        public void ReleaseTarget(string target)
        {
            // Nothing was picked.
        }
    }
}
