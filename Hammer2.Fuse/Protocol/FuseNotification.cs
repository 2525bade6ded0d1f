// What this is: messages that the kernel gets without having asked: that what it keeps of a name or an inode counts no more.
// Invariants: as the protocol has them: a header whose unique is 0 and whose error is the kind of message.
// Layers: FuseHeaders.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Protocol;

/// <summary>Encodes notifications.</summary>
internal static class FuseNotification
{
    /// <summary>Bytes that any of them fits into.</summary>
    public const int BytesMax = 16 + 24 + 256;

    private const int InvalidateInodeCode = 2;
    private const int InvalidateEntryCode = 3;

    /// <summary>Attributes and pages of an inode are to be asked for again.</summary>
    public static ReadOnlySpan<byte> InvalidateInode(ulong node, Span<byte> buffer)
    {
        // From byte 0 to the end.
        var body = new InodeBody { Node = node };
        return Finish(InvalidateInodeCode, MemoryMarshal.AsBytes(new ReadOnlySpan<InodeBody>(in body)), [], buffer);
    }

    /// <summary>A name, or that there is none, is to be looked up again.</summary>
    public static ReadOnlySpan<byte> InvalidateEntry(ulong parent, scoped ReadOnlySpan<byte> name, Span<byte> buffer)
    {
        var body = new EntryBody { Parent = parent, NameLength = (uint)name.Length };
        return Finish(InvalidateEntryCode, MemoryMarshal.AsBytes(new ReadOnlySpan<EntryBody>(in body)), name, buffer);
    }

    private static ReadOnlySpan<byte> Finish(int code, scoped ReadOnlySpan<byte> body, scoped ReadOnlySpan<byte> name, Span<byte> buffer)
    {
        var headerBytes = Marshal.SizeOf<FuseOutHeader>();
        // A name ends with a NUL that its length does not count.
        var length = headerBytes + body.Length + (name.IsEmpty ? 0 : name.Length + 1);
        var message = buffer[..length];
        message.Clear();
        var header = new FuseOutHeader { Length = (uint)length, Error = code };
        MemoryMarshal.Write(message, in header);
        body.CopyTo(message[headerBytes..]);
        name.CopyTo(message[(headerBytes + body.Length)..]);
        return message;
    }

    [StructLayout(LayoutKind.Explicit, Size = 24)]
    private struct InodeBody
    {
        [FieldOffset(0)] public ulong Node;
        [FieldOffset(8)] public long Offset;
        [FieldOffset(16)] public long Length;
    }

    [StructLayout(LayoutKind.Explicit, Size = 16)]
    private struct EntryBody
    {
        [FieldOffset(0)] public ulong Parent;
        [FieldOffset(8)] public uint NameLength;
        [FieldOffset(12)] public uint Flags;
    }
}
