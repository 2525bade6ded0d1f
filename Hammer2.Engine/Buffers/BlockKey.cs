// What identifies a decoded block in the cache: address, type, methods and the check code of the reference.
// The check belongs to it: a second reference to the same address with another check code must verify anew.

using System.Runtime.InteropServices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Buffers;

internal readonly struct BlockKey : IEquatable<BlockKey>
{
    private readonly ulong _dataOff;
    private readonly ulong _check0;
    private readonly ulong _check1;
    private readonly ulong _check2;
    private readonly uint _kind;

    internal BlockKey(in BlockRef bref)
    {
        ReadOnlySpan<ulong> check = MemoryMarshal.Cast<byte, ulong>(BlockRef.CheckBytes(bref));
        _dataOff = bref.DataOff;
        _kind = (uint)bref.Type << 8 | bref.Methods;
        switch (bref.CheckMethod)
        {
            case CheckMethod.None or CheckMethod.Disabled:
                break;
            case CheckMethod.Iscsi32 or CheckMethod.Freemap:
                _check0 = bref.Check32;
                break;
            case CheckMethod.Sha192:
                (_check0, _check1, _check2) = (check[0], check[1], check[2]);
                break;
            default:
                _check0 = check[0];
                break;
        }
    }

    /// <summary>The 64 KiB of address that hold the block; a legal block lies in one.</summary>
    internal ulong Region => RegionOf(_dataOff);

    /// <summary>The same of a reference.</summary>
    internal static ulong RegionOf(in BlockRef bref) => RegionOf(bref.DataOff);

    private static ulong RegionOf(ulong dataOff) => dataOff & ~(ulong)(FormatLimits.BlockBytesMax - 1);

    /// <summary>True when the block has bytes in common with <c>start..end</c> (exclusive).</summary>
    internal bool Overlaps(ulong start, ulong end)
    {
        var physical = new PhysicalOffset(_dataOff);
        return physical.Offset < end && physical.Offset + (ulong)physical.Bytes > start;
    }

    internal uint Hash => (uint)((_dataOff ^ _check0 ^ _kind) * 0x9E3779B97F4A7C15UL >> 32);

    public bool Equals(BlockKey other) =>
        _dataOff == other._dataOff && _check0 == other._check0 && _check1 == other._check1
        && _check2 == other._check2 && _kind == other._kind;

    public override bool Equals(object? obj) => obj is BlockKey other && Equals(other);

    public override int GetHashCode() => (int)Hash;
}
