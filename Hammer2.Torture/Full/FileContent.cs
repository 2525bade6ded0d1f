// Bytes that are a function of a seed, of kinds that matter to space: bytes that do not compress, text that does, zero blocks
// between others, and blocks that other files have as well. Whoever knows the pieces of a file knows all its bytes, so that
// nothing has to be kept to compare with. Pure functions.

using System.Runtime.InteropServices;
using System.Text;

namespace Hammer2.Torture.Full;

/// <summary>What bytes are like.</summary>
internal enum ContentKind
{
    /// <summary>Does not compress.</summary>
    Noise,

    /// <summary>Compresses well.</summary>
    Text,

    /// <summary>Blocks of zeros and of noise.</summary>
    Gaps,

    /// <summary>Noise that other files have as well.</summary>
    Shared,
}

/// <summary>Some bytes of a file, written by one call.</summary>
internal readonly record struct ContentPiece(ContentKind Kind, int Seed, int Length)
{
    private const int SharedSeeds = 24;
    private const int BlockBytes = 65536;

    /// <summary>Writes the bytes.</summary>
    internal void Fill(Span<byte> bytes)
    {
        switch (Kind)
        {
            case ContentKind.Text:
                FillText(bytes, Seed);
                break;
            case ContentKind.Gaps:
                for (int at = 0; at < bytes.Length; at += BlockBytes)
                {
                    Span<byte> block = bytes[at..Math.Min(bytes.Length, at + BlockBytes)];
                    if ((Seed + at / BlockBytes) % 3 == 0)
                        FillNoise(block, Seed + at);
                    else
                        block.Clear();
                }

                break;
            case ContentKind.Shared:
                FillNoise(bytes, Seed % SharedSeeds);
                break;
            default:
                FillNoise(bytes, Seed);
                break;
        }
    }

    private static void FillText(Span<byte> bytes, int seed)
    {
        byte[] line = Encoding.ASCII.GetBytes($"line {seed} of a text that goes on and on, as texts do;\n");
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = line[i % line.Length];
    }

    // SplitMix64: fast, and good enough not to compress.
    private static void FillNoise(Span<byte> bytes, int seed)
    {
        ulong state = (ulong)seed * 0xD1342543DE82EF95 + 1;
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < words.Length; i++)
            words[i] = Next(ref state);
        ulong last = Next(ref state);
        for (int i = words.Length * sizeof(ulong); i < bytes.Length; i++, last >>= 8)
            bytes[i] = (byte)last;
    }

    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
