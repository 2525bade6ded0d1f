// Check codes (format page 4). A check covers the whole physical block as stored. There is one function that
// computes and one that compares; unknown methods are refused by number, never treated as good.

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>Computes and compares check codes.</summary>
public static class Checks
{
    /// <summary>Seed of HAMMER2's XXH64.</summary>
    public const ulong XxHashSeed = 0x4D617474446C6C6E;

    /// <summary>Bytes of the longest check code (sha192).</summary>
    public const int CodeBytesMax = 24;

    /// <summary>XXH64 with HAMMER2's seed.</summary>
    public static ulong XxHash(ReadOnlySpan<byte> block) => XxHash64Seeded.Compute(block, XxHashSeed);

    /// <summary>True for the methods of format page 3.2.</summary>
    public static bool IsKnown(CheckMethod method) => method <= CheckMethod.Freemap;

    /// <summary>Computes the code into <paramref name="code"/> (24 bytes or more) and returns its length: 0, 4, 8 or 24.</summary>
    public static int Compute(CheckMethod method, ReadOnlySpan<byte> block, Span<byte> code)
    {
        switch (method)
        {
            case CheckMethod.Iscsi32 or CheckMethod.Freemap:
                MemoryMarshal.Write(code, Crc32C.Compute(block));
                return sizeof(uint);
            case CheckMethod.XxHash64:
                MemoryMarshal.Write(code, XxHash(block));
                return sizeof(ulong);
            case CheckMethod.Sha192:
                ComputeSha192(block, code);
                return CodeBytesMax;
            default:
                return 0;
        }
    }

    /// <summary>True when the block matches the check code of its reference, or the method has none.</summary>
    public static bool Matches(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        Span<byte> code = stackalloc byte[CodeBytesMax];
        int length = Compute(bref.CheckMethod, block, code);
        return BlockRef.CheckBytes(bref)[..length].SequenceEqual(code[..length]);
    }

    private static void ComputeSha192(ReadOnlySpan<byte> block, Span<byte> code)
    {
        Span<ulong> words = stackalloc ulong[SHA256.HashSizeInBytes / sizeof(ulong)];
        SHA256.HashData(block, MemoryMarshal.AsBytes(words));
        words[2] ^= words[3];
        MemoryMarshal.AsBytes(words)[..CodeBytesMax].CopyTo(code);
    }
}
