// The directory hash (format page 6.2): which key a name is stored under, before collisions are resolved.
// Case-sensitive and by bytes; a pure function that every writer of the format must agree on.

namespace Hammer2.Engine.Format;

/// <summary>Hash of file names into directory keys.</summary>
public static class DirectoryHash
{
    /// <summary>Base key of a name: bit 63 and bit 15 set, the low 15 bits zero for collisions.</summary>
    public static ulong Compute(ReadOnlySpan<byte> name)
    {
        uint high = 0;
        ReadOnlySpan<byte> rest = name;
        while (!rest.IsEmpty)
        {
            int run = rest.IndexOfAny("._-~"u8);
            if (run < 0)
                run = rest.Length;
            if (run > 0)
                high += Crc32C.Compute(rest[..run]);
            rest = rest[Math.Min(run + 1, rest.Length)..];
        }

        uint low = Crc32C.Compute(name);
        low ^= low << 16;
        return (ulong)(high | 0x80000000u) << 32 | low & 0xFFFF0000u | 0x8000u;
    }
}
