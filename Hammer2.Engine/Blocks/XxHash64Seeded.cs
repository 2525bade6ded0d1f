// XXH64, written out for whole blocks. The library's version is right but was ten times slower in short runs, before
// the runtime has recompiled it, and this function decides how fast cold data is read. Tests compare the two.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hammer2.Engine.Blocks;

/// <summary>XXH64 of a span; numbers are those of the algorithm's published specification.</summary>
internal static unsafe class XxHash64Seeded
{
    private const ulong Prime1 = 0x9E3779B185EBCA87;
    private const ulong Prime2 = 0xC2B2AE3D27D4EB4F;
    private const ulong Prime3 = 0x165667B19E3779F9;
    private const ulong Prime4 = 0x85EBCA77C2B2AE63;
    private const ulong Prime5 = 0x27D4EB2F165667C5;
    private const int StripeBytes = 32;

    /// <summary>The hash of <paramref name="data"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static ulong Compute(ReadOnlySpan<byte> data, ulong seed)
    {
        fixed (byte* start = data)
        {
            byte* at = start;
            byte* end = start + data.Length;
            ulong hash = data.Length < StripeBytes ? seed + Prime5 : Stripes(ref at, end, seed);
            hash += (ulong)data.Length;
            return Finish(hash, at, end);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Stripes(ref byte* position, byte* end, ulong seed)
    {
        byte* at = position;
        ulong a = seed + Prime1 + Prime2;
        ulong b = seed + Prime2;
        ulong c = seed;
        ulong d = seed - Prime1;
        for (byte* last = end - StripeBytes; at <= last; at += StripeBytes)
        {
            a = Round(a, *(ulong*)at);
            b = Round(b, *(ulong*)(at + 8));
            c = Round(c, *(ulong*)(at + 16));
            d = Round(d, *(ulong*)(at + 24));
        }

        position = at;
        ulong hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7)
            + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
        return Merge(Merge(Merge(Merge(hash, a), b), c), d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Finish(ulong hash, byte* at, byte* end)
    {
        for (; end - at >= sizeof(ulong); at += sizeof(ulong))
            hash = BitOperations.RotateLeft(hash ^ Round(0, *(ulong*)at), 27) * Prime1 + Prime4;
        if (end - at >= sizeof(uint))
        {
            hash = BitOperations.RotateLeft(hash ^ *(uint*)at * Prime1, 23) * Prime2 + Prime3;
            at += sizeof(uint);
        }

        for (; at < end; at++)
            hash = BitOperations.RotateLeft(hash ^ *at * Prime5, 11) * Prime1;
        hash = (hash ^ hash >> 33) * Prime2;
        hash = (hash ^ hash >> 29) * Prime3;
        return hash ^ hash >> 32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Round(ulong lane, ulong input) => BitOperations.RotateLeft(lane + input * Prime2, 31) * Prime1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Merge(ulong hash, ulong lane) => (hash ^ Round(0, lane)) * Prime1 + Prime4;
}
