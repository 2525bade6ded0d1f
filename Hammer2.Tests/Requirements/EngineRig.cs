// What the tests of the requirement rows stand on: the whole engine over a watched device in memory, freshly formatted or
// given. Nothing happens by itself: there are no commits but those that a test asks for. Invariant of Check: what is on the
// medium passes the strict check, without a single error.

using System.Text;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Checking;

namespace Hammer2.Tests.Requirements;

/// <summary>A writable volume and handy ways to change it.</summary>
internal sealed class EngineRig : IDisposable
{
    /// <summary>A size with room for one header copy only.</summary>
    internal const long SmallBytes = 512L << 20;

    internal static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly VolumeOptions _options;

    /// <summary>A fresh volume; 8 GiB have room for all four header copies.</summary>
    internal EngineRig(VolumeOptions? options = null, long bytes = 8L << 30)
        : this(Formatted(bytes), options)
    {
    }

    /// <summary>A volume that exists.</summary>
    internal EngineRig(MemoryBlockDevice memory, VolumeOptions? options = null)
    {
        _options = (options ?? new VolumeOptions()) with { Writable = true, CommitInterval = TimeSpan.Zero };
        Memory = memory;
        Device = new WatchedDevice(memory);
        Volume = Hammer2Volume.Open([Device], _options);
        Pfs = Volume.OpenPfs();
    }

    internal MemoryBlockDevice Memory { get; }

    internal WatchedDevice Device { get; private set; }

    internal Hammer2Volume Volume { get; private set; }

    internal PfsMount Pfs { get; private set; }

    internal static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>The whole content of a file, by way of its handle.</summary>
    internal static byte[] ReadAll(Vnode file)
    {
        byte[] bytes = new byte[file.GetAttributes().Size];
        Assert.AreEqual(bytes.Length, file.Read(0, bytes));
        return bytes;
    }

    /// <summary>Opens a path that exists.</summary>
    internal Vnode Open(string path)
    {
        Assert.AreEqual(Hammer2Error.None, Pfs.TryResolve(path, out Vnode? vnode), path);
        return vnode!;
    }

    internal bool Exists(string path)
    {
        Hammer2Error error = Pfs.TryResolve(path, out Vnode? vnode);
        vnode?.Dispose();
        Assert.IsTrue(error is Hammer2Error.None or Hammer2Error.NotFound, $"{path}: {error}");
        return error == Hammer2Error.None;
    }

    /// <summary>Makes a file in an existing directory.</summary>
    internal Vnode Create(string path, ReadOnlySpan<byte> content = default)
    {
        Vnode file = Make(path, ObjectType.File);
        if (!content.IsEmpty)
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, content), path);
        return file;
    }

    internal void MakeDirectory(string path) => Make(path, ObjectType.Directory).Dispose();

    internal void Unlink(string path)
    {
        using Vnode directory = Above(path, out byte[] name);
        Assert.AreEqual(Hammer2Error.None, Pfs.TryUnlink(directory, name), path);
    }

    internal void Link(string existing, string path)
    {
        using Vnode file = Open(existing), directory = Above(path, out byte[] name);
        Assert.AreEqual(Hammer2Error.None, Pfs.TryLink(file, directory, name), path);
    }

    internal void Sync() => Volume.Sync();

    /// <summary>Writes waiting data out without a commit, as the background does when memory gets short.</summary>
    internal void WriteOut() => Volume.Writer!.WriteOut();

    /// <summary>Closes the volume, which commits, and opens it again.</summary>
    internal void Remount()
    {
        Volume.Dispose();
        Device = new WatchedDevice(Memory);
        Volume = Hammer2Volume.Open([Device], _options);
        Pfs = Volume.OpenPfs();
    }

    /// <summary>The strict check of what is on the medium now.</summary>
    internal CheckReport Check() => Check(Memory);

    internal static CheckReport Check(IBlockDevice device)
    {
        CheckReport report = VolumeChecker.Check([device]);
        Assert.AreEqual(0L, report.Errors, report.ToString());
        Assert.AreEqual(0L, report.CountOf("stats-data-count") + report.CountOf("stats-inode-count") + report.CountOf("data-tail"), report.ToString());
        return report;
    }

    /// <summary>Opens a copy of the medium as it is now, for reading: what a crash at this moment would leave.</summary>
    internal Hammer2Volume OpenMedium() => Hammer2Volume.Open([Memory.Clone()], new VolumeOptions { ReadAheadBlocksMax = 0 });

    /// <summary>The reference to an inode that the index of the newest commit has.</summary>
    internal BlockRef InodeRef(ulong inodeNumber)
    {
        Assert.IsTrue(Pfs.Index.TryFind(inodeNumber, out BlockRef bref), $"inode {inodeNumber} is not in the index");
        return bref;
    }

    /// <summary>The reference to a logical block of a file, as the last write-out made it.</summary>
    internal BlockRef DataRef(Vnode file, ulong key)
    {
        using InodeLock held = InodeLock.Shared(file.Inode);
        Assert.IsTrue(held.Chain.Content.Tree.TryFind(Volume.Reader, key, out BlockRef bref), $"no block at 0x{key:x}");
        return bref;
    }

    /// <summary>How many indirect blocks lie between the PFS root and a key of its tree.</summary>
    internal int LevelsAbove(ulong key)
    {
        MutableTree tree = Pfs.Index.Root.Current.Content.Tree;
        BlockRef[] refs = tree.Root.Refs.ToArray();
        for (int level = 0; ; level++)
        {
            BlockRef bref = Array.Find(refs, r => r.Type != BlockRefType.Empty && r.Key <= key && key <= r.LastKey);
            Assert.AreNotEqual(BlockRefType.Empty, bref.Type, $"nothing covers key 0x{key:x}");
            if (!bref.IsNode)
                return level;
            byte[] block = new byte[bref.Physical.Bytes];
            Volume.Reader.ReadStored(bref, block);
            refs = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, BlockRef>(block).ToArray();
        }
    }

    public void Dispose() => Volume.Dispose();

    internal static MemoryBlockDevice Formatted(long bytes)
    {
        var memory = new MemoryBlockDevice(bytes);
        VolumeFormatter.Format([memory]);
        return memory;
    }

    /// <summary>A copy of a small volume, with one header copy, on which something is wrong.</summary>
    internal static MemoryBlockDevice Edited(MemoryBlockDevice memory, Action<ImageEditor> edit)
    {
        var editor = new ImageEditor(memory.Clone());
        edit(editor);
        var copy = new MemoryBlockDevice(memory.Length);
        byte[] piece = new byte[1 << 20];
        for (long at = 0; at < memory.Length; at += piece.Length)
        {
            editor.Device.Read(at, piece);
            if (piece.AsSpan().ContainsAnyExcept((byte)0))
                copy.Write(at, piece);
        }

        return copy;
    }

    private Vnode Make(string path, ObjectType type)
    {
        using Vnode directory = Above(path, out byte[] name);
        uint mode = type == ObjectType.Directory ? 0x1EDu : 0x1A4u;
        Assert.AreEqual(Hammer2Error.None, Pfs.TryCreate(directory, name, new NewInode { Type = type, Mode = mode }, out Vnode? made), path);
        return made!;
    }

    private Vnode Above(string path, out byte[] name)
    {
        int slash = path.LastIndexOf('/');
        name = Encoding.UTF8.GetBytes(path[(slash + 1)..]);
        return slash < 0 ? Pfs.OpenRoot() : Open(path[..slash]);
    }
}
