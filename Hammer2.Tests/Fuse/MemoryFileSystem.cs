// A filesystem in memory behind the FUSE protocol: what the kernel and the protocol code do with changes is tested over it
// without an engine. It keeps nodes as a kernel expects of a server: a node lives while it has names, handles or lookups.
// One lock around everything. Reading is here, changing in MemoryFileSystem.Changes.cs.
// Layers: Fuse.Sessions, Fuse.Protocol.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Serving;
using Hammer2.Fuse.Sessions;

namespace Hammer2.Tests.Fuse;

internal sealed partial class MemoryFileSystem : IFuseFileSystem
{
    private const uint TypeMask = 0xF000;
    private const uint DirectoryType = 0x4000;
    private const int BlockBytes = 65536;
    private const ulong Validity = 3600;

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Node> _nodes = [];
    private readonly Dictionary<ulong, Node> _handles = [];
    private ulong _lastNode = 1;
    private ulong _lastHandle;

    public MemoryFileSystem() => _nodes.Add(1, new Node { Number = 1, Mode = DirectoryType | 0x1ED, Links = 1 });

    /// <summary>Bytes that writes may use at most; beyond it they fail as on a full volume.</summary>
    public long BytesMax { get; set; } = long.MaxValue;

    /// <summary>A deliberate fault: growth after truncation shows again what was cut off.</summary>
    public bool ForgetsToZero { get; init; }

    /// <summary>How often something was made durable.</summary>
    public int Syncs { get; private set; }

    /// <summary>Writes of which the first bytes were not at a page of the request buffer.</summary>
    public int UnalignedWrites { get; private set; }

    /// <summary>Objects that have no name but are kept.</summary>
    public int Nameless
    {
        get
        {
            lock (_gate)
                return _nodes.Values.Count(node => node.Links == 0);
        }
    }

    /// <summary>Blocks that hold data, of all files.</summary>
    public int Blocks
    {
        get
        {
            lock (_gate)
                return _nodes.Values.Sum(node => node.Blocks.Count);
        }
    }

    public int Lookup(ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(parent, out var directory))
                return Errno.ESTALE;
            if (name.Length > 255)
                return Errno.ENAMETOOLONG;
            entry.EntryValidSeconds = Validity;
            if (directory.Names.TryGetValue(Text(name), out var node))
                Fill(node, ref entry);
            return 0;
        }
    }

    public int GetAttributes(ulong node, ref FuseAttributesOut attributes)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(node, out var found))
                return Errno.ESTALE;
            attributes.ValidSeconds = Validity;
            Fill(found, ref attributes.Attributes);
            return 0;
        }
    }

    public int GetStatx(ulong node, ref FuseStatxOut statx) => Errno.ENOSYS;

    public int ReadLink(ulong node, Span<byte> target, out int length)
    {
        lock (_gate)
        {
            var text = _nodes[node].Target;
            text.CopyTo(target);
            length = text.Length;
            return 0;
        }
    }

    public int Open(ulong node, uint flags, ref FuseOpenOut opened)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(node, out var found))
                return Errno.ESTALE;
            opened.Handle = Handle(found);
            opened.Flags = FuseOpenFlags.KeepCache | FuseOpenFlags.NoFlush;
            return 0;
        }
    }

    public int Read(ulong handle, ulong offset, Span<byte> buffer, out int length)
    {
        lock (_gate)
        {
            length = 0;
            if (!_handles.TryGetValue(handle, out var node))
                return Errno.EBADF;
            if ((long)offset >= node.Size)
                return 0;
            length = (int)Math.Min(buffer.Length, node.Size - (long)offset);
            node.Read((long)offset, buffer[..length]);
            return 0;
        }
    }

    public int Seek(ulong handle, ulong offset, uint whence, out ulong found)
    {
        lock (_gate)
        {
            found = 0;
            if (!_handles.TryGetValue(handle, out var node))
                return Errno.EBADF;
            if ((long)offset >= node.Size)
                return Errno.ENXIO;
            for (var at = (long)offset; at < node.Size; at = (at / BlockBytes + 1) * BlockBytes)
            {
                if (node.Blocks.ContainsKey(at / BlockBytes) == (whence == FuseLSeekIn.SeekData))
                {
                    found = (ulong)at;
                    return 0;
                }
            }

            found = (ulong)node.Size;
            return whence == FuseLSeekIn.SeekData ? Errno.ENXIO : 0;
        }
    }

    public void Release(ulong handle)
    {
        lock (_gate)
        {
            if (!_handles.Remove(handle, out var node))
                return;
            node.Handles--;
            DropIfDone(node);
        }
    }

    public int OpenDirectory(ulong node, ref FuseOpenOut opened)
    {
        var errno = Open(node, 0, ref opened);
        opened.Flags = FuseOpenFlags.KeepCache | FuseOpenFlags.CacheDirectory;
        return errno;
    }

    // Cookies are positions in the order of names that were ever made: stable while others come and go.
    public int ReadDirectory(ulong handle, ulong position, bool plus, Span<byte> buffer, out int length)
    {
        lock (_gate)
        {
            length = 0;
            if (!_handles.TryGetValue(handle, out var directory))
                return Errno.EBADF;
            var head = plus ? Unsafe.SizeOf<FuseEntryOut>() : 0;
            foreach (var (name, node) in directory.Names.OrderBy(pair => directory.Order[pair.Key]).ToList())
            {
                var cookie = directory.Order[name];
                if (cookie <= position)
                    continue;
                var bytes = Bytes(name);
                var size = (head + Unsafe.SizeOf<FuseDirent>() + bytes.Length + 7) & ~7;
                if (length + size > buffer.Length)
                    return 0;
                var room = buffer.Slice(length, size);
                room.Clear();
                if (plus)
                    Fill(node, ref MemoryMarshal.AsRef<FuseEntryOut>(room));
                var dirent = new FuseDirent { Inode = node.Number, Offset = cookie, NameLength = (uint)bytes.Length, Type = node.Mode >> 12 };
                MemoryMarshal.Write(room[head..], dirent);
                bytes.CopyTo(room[(head + Unsafe.SizeOf<FuseDirent>())..]);
                length += size;
            }

            return 0;
        }
    }

    public void ReleaseDirectory(ulong handle) => Release(handle);

    public int StatFs(ref FuseStatFsOut statistics)
    {
        lock (_gate)
        {
            statistics.BlockSize = statistics.FragmentSize = BlockBytes;
            statistics.Blocks = 1 << 20;
            statistics.BlocksFree = statistics.BlocksAvailable = (1 << 20) - (ulong)Blocks;
            statistics.NameLengthMax = 255;
            return 0;
        }
    }

    public int Access(ulong node, uint mask) => 0;

    public void Dispose()
    {
        lock (_gate)
            _handles.Clear();
    }

    // Names are bytes; one char each, so that none is changed on the way.
    private static string Text(ReadOnlySpan<byte> name) => Encoding.Latin1.GetString(name);

    private static byte[] Bytes(string name) => Encoding.Latin1.GetBytes(name);

    // Under the lock. Every entry that is filled is a lookup that the kernel counts.
    private static void Fill(Node node, ref FuseEntryOut entry)
    {
        entry.NodeId = node.Number;
        entry.EntryValidSeconds = entry.AttributesValidSeconds = Validity;
        Fill(node, ref entry.Attributes);
        node.IsKnown = true;
    }

    private static void Fill(Node node, ref FuseAttributes attributes)
    {
        attributes = default;
        attributes.Inode = node.Number;
        attributes.Size = (ulong)node.Size;
        attributes.Blocks = (ulong)node.Blocks.Count * (BlockBytes / 512);
        attributes.Mode = node.Mode;
        attributes.LinkCount = node.Links;
        attributes.Uid = node.Uid;
        attributes.Gid = node.Gid;
        attributes.Device = node.Device;
        attributes.BlockSize = BlockBytes;
        (attributes.AccessSeconds, attributes.AccessNanoseconds) = AttributeConversion.Split(node.AccessUs);
        (attributes.ModifySeconds, attributes.ModifyNanoseconds) = AttributeConversion.Split(node.ModifyUs);
        (attributes.ChangeSeconds, attributes.ChangeNanoseconds) = AttributeConversion.Split(node.ChangeUs);
    }

    private ulong Handle(Node node)
    {
        node.Handles++;
        _handles.Add(++_lastHandle, node);
        return _lastHandle;
    }

    private void DropIfDone(Node node)
    {
        if (node is { Links: 0, Handles: 0, IsKnown: false })
            _nodes.Remove(node.Number);
    }

    private sealed class Node
    {
        public ulong Number;
        public uint Mode, Uid, Gid, Device, Links, Flags;
        public long Size, AccessUs, ModifyUs, ChangeUs;
        public byte[] Target = [];
        public int Handles;
        public bool IsKnown;
        public readonly Dictionary<long, byte[]> Blocks = [];
        public readonly Dictionary<string, Node> Names = [];
        public readonly Dictionary<string, ulong> Order = [];
        public ulong LastOrder;

        public bool IsDirectory => (Mode & TypeMask) == DirectoryType;

        public void Read(long offset, Span<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                var inside = (int)(offset % BlockBytes);
                var piece = buffer[..Math.Min(buffer.Length, BlockBytes - inside)];
                if (Blocks.TryGetValue(offset / BlockBytes, out var block))
                    block.AsSpan(inside, piece.Length).CopyTo(piece);
                else
                    piece.Clear();
                offset += piece.Length;
                buffer = buffer[piece.Length..];
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            Size = Math.Max(Size, offset + data.Length);
            while (data.Length > 0)
            {
                var inside = (int)(offset % BlockBytes);
                var piece = data[..Math.Min(data.Length, BlockBytes - inside)];
                if (!Blocks.TryGetValue(offset / BlockBytes, out var block))
                    Blocks.Add(offset / BlockBytes, block = new byte[BlockBytes]);
                piece.CopyTo(block.AsSpan(inside));
                offset += piece.Length;
                data = data[piece.Length..];
            }
        }

        public void Zero(long offset, long end)
        {
            end = Math.Min(end, Size);
            while (offset < end)
            {
                var inside = (int)(offset % BlockBytes);
                var length = (int)Math.Min(end - offset, BlockBytes - inside);
                if (length == BlockBytes || (inside == 0 && offset + length == Size))
                    Blocks.Remove(offset / BlockBytes);
                else if (Blocks.TryGetValue(offset / BlockBytes, out var block))
                    block.AsSpan(inside, length).Clear();
                offset += length;
            }
        }

        public void SetSize(long size, bool zero = true)
        {
            // What lies beyond the end must read as zeros when the file grows again.
            if (size < Size && zero)
                Zero(size, Size);
            Size = size;
        }
    }
}
