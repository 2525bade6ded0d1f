// A filesystem of a few fixed files without an engine, to test what lies between the kernel and the filesystem.
// Root holds "file" (node 2, 3 MiB of a pattern), "throws" (node 3: every use throws), "slow" (node 4: reads wait for the test).
// Layers: Fuse.Sessions, Fuse.Protocol.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Sessions;

namespace Hammer2.Tests.Fuse;

internal sealed class FakeFileSystem : IFuseFileSystem
{
    public const int FileBytes = 3 << 20;
    public const ulong FileNode = 2;
    public const ulong ThrowingNode = 3;
    public const ulong SlowNode = 4;
    private static readonly string[] s_names = ["file", "throws", "slow"];
    private int _open;

    /// <summary>Reads of "slow" wait for this.</summary>
    public ManualResetEventSlim Gate { get; } = new(initialState: false);

    /// <summary>Set when a read of "slow" has arrived.</summary>
    public ManualResetEventSlim SlowArrived { get; } = new(initialState: false);

    public bool Disposed { get; private set; }

    public int OpenHandles => _open;

    public int Lookup(ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry)
    {
        entry.EntryValidSeconds = 3600;
        for (var i = 0; i < s_names.Length; i++)
        {
            if (!name.SequenceEqual(System.Text.Encoding.UTF8.GetBytes(s_names[i])))
                continue;
            entry.NodeId = (ulong)i + 2;
            entry.AttributesValidSeconds = 3600;
            Fill(entry.NodeId, ref entry.Attributes);
        }

        return 0;
    }

    public int GetAttributes(ulong node, ref FuseAttributesOut attributes)
    {
        if (node > SlowNode)
            return Errno.ENOENT;
        attributes.ValidSeconds = 3600;
        Fill(node, ref attributes.Attributes);
        return 0;
    }

    public int GetStatx(ulong node, ref FuseStatxOut statx) => Errno.ENOSYS;

    public int ReadLink(ulong node, Span<byte> target, out int length) => throw new InvalidOperationException("no links here");

    public int Open(ulong node, uint flags, ref FuseOpenOut opened)
    {
        if ((flags & 3) != 0)
            return Errno.EROFS;
        Interlocked.Increment(ref _open);
        opened.Handle = node;
        opened.Flags = FuseOpenFlags.KeepCache;
        return 0;
    }

    public int Read(ulong handle, ulong offset, Span<byte> buffer, out int length)
    {
        length = 0;
        if (handle == ThrowingNode)
            throw new InvalidOperationException("this file always throws");
        if (handle == SlowNode)
        {
            SlowArrived.Set();
            Gate.Wait(TimeSpan.FromSeconds(30));
        }

        if (offset >= FileBytes)
            return 0;
        length = (int)Math.Min((ulong)buffer.Length, FileBytes - offset);
        for (var i = 0; i < length; i++)
            buffer[i] = PatternAt(offset + (ulong)i);
        return 0;
    }

    public int Seek(ulong handle, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        return Errno.ENOSYS;
    }

    public void Release(ulong handle) => Interlocked.Decrement(ref _open);

    public int OpenDirectory(ulong node, ref FuseOpenOut opened)
    {
        Interlocked.Increment(ref _open);
        return 0;
    }

    public int ReadDirectory(ulong handle, ulong position, bool plus, Span<byte> buffer, out int length)
    {
        length = 0;
        var head = plus ? Unsafe.SizeOf<FuseEntryOut>() : 0;
        for (var i = (int)position; i < s_names.Length; i++)
        {
            var name = System.Text.Encoding.UTF8.GetBytes(s_names[i]);
            var size = (head + Unsafe.SizeOf<FuseDirent>() + name.Length + 7) & ~7;
            if (length + size > buffer.Length)
                return 0;
            var room = buffer.Slice(length, size);
            room.Clear();
            var dirent = new FuseDirent { Inode = (ulong)i + 2, Offset = (ulong)i + 1, NameLength = (uint)name.Length, Type = 8 };
            MemoryMarshal.Write(room[head..], dirent);
            name.CopyTo(room[(head + Unsafe.SizeOf<FuseDirent>())..]);
            length += size;
        }

        return 0;
    }

    public void ReleaseDirectory(ulong handle) => Interlocked.Decrement(ref _open);

    public int StatFs(ref FuseStatFsOut statistics)
    {
        statistics.Blocks = 1000;
        statistics.BlockSize = 65536;
        statistics.FragmentSize = 65536;
        statistics.NameLengthMax = 255;
        return 0;
    }

    public int Access(ulong node, uint mask) => 0;

    public void Dispose() => Disposed = true;

    /// <summary>The byte of "file" at an offset.</summary>
    public static byte PatternAt(ulong offset) => (byte)(offset * 31 + (offset >> 12));

    private static void Fill(ulong node, ref FuseAttributes attributes)
    {
        attributes.Inode = node;
        attributes.Mode = node == FuseProtocol.RootNode ? 0x41EDu : 0x81A4u;
        attributes.Size = node == FuseProtocol.RootNode ? 0 : (ulong)FileBytes;
        attributes.LinkCount = 1;
        attributes.BlockSize = 65536;
    }
}
