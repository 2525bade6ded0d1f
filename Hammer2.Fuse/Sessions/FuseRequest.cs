// What this is: one received request: its header and a checked reader of what follows.
// Invariants: no field is read beyond the bytes received; a name is non-empty, ends with its NUL inside the request and holds
// no slash. A request whose length field disagrees with what arrived is refused whole.
// Layers: Protocol.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Sessions;

/// <summary>A request in the worker's buffer.</summary>
internal readonly ref struct FuseRequest
{
    private FuseRequest(FuseInHeader header, ReadOnlySpan<byte> body)
    {
        Header = header;
        Body = body;
    }

    /// <summary>Who asks for what.</summary>
    public FuseInHeader Header { get; }

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>Decodes the header. Returns false if the message is shorter than one, or not as long as it says.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out FuseRequest request)
    {
        request = default;
        if (!MemoryMarshal.TryRead(message, out FuseInHeader header) || header.Length != (uint)message.Length)
            return false;
        request = new FuseRequest(header, message[Unsafe.SizeOf<FuseInHeader>()..]);
        return true;
    }

    /// <summary>The fixed part of the body.</summary>
    public bool TryRead<T>(out T argument) where T : unmanaged => MemoryMarshal.TryRead(Body, out argument);

    /// <summary>The body as one NUL-terminated name.</summary>
    public bool TryReadName(out ReadOnlySpan<byte> name)
    {
        var rest = Body;
        return TryTakeName(ref rest, out name);
    }

    /// <summary>The fixed part of the body, and the name after it.</summary>
    public bool TryReadNamed<T>(out T argument, out ReadOnlySpan<byte> name) where T : unmanaged
    {
        name = default;
        if (!TryRead(out argument))
            return false;
        var rest = Body[Unsafe.SizeOf<T>()..];
        return TryTakeName(ref rest, out name);
    }

    /// <summary>The fixed part of the body, and the two names after it.</summary>
    public bool TryReadNames<T>(out T argument, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second) where T : unmanaged
    {
        first = second = default;
        if (!TryRead(out argument))
            return false;
        var rest = Body[Unsafe.SizeOf<T>()..];
        return TryTakeName(ref rest, out first) && TryTakeName(ref rest, out second);
    }

    /// <summary>A name, and a text after it that may hold slashes: the target of a symlink.</summary>
    public bool TryReadNameAndText(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> text)
    {
        var rest = Body;
        text = default;
        return TryTakeName(ref rest, out name) && TryTakeText(ref rest, out text);
    }

    private static bool TryTakeName(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name) =>
        TryTakeText(ref rest, out name) && name.IndexOf((byte)'/') < 0;

    private static bool TryTakeText(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> text)
    {
        var length = rest.IndexOf((byte)0);
        text = length > 0 ? rest[..length] : default;
        if (length <= 0)
            return false;
        rest = rest[(length + 1)..];
        return true;
    }
}
