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
        var length = Body.IndexOf((byte)0);
        name = length > 0 ? Body[..length] : default;
        return length > 0 && name.IndexOf((byte)'/') < 0;
    }
}
