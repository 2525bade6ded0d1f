// What dirty state may need at most when it is written out: counted in the units in which free space can be promised.
// A block of more than 16 KiB needs a whole 64 KiB group in the worst case, a block of 16 KiB a block of the bitmap,
// fragments are packed into such blocks. A claim is a plain sum: adding and removing the same blocks gives back the same claim.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>How far a claim may dig into the reserve of the volume.</summary>
internal enum ClaimLevel
{
    /// <summary>File data and new objects: refused when the reserve would be touched.</summary>
    Write,

    /// <summary>Attribute changes and the like: may use half of the reserve.</summary>
    Metadata,

    /// <summary>Deletes, which free space in the end: may use all of it.</summary>
    Remove,
}

/// <summary>A number of blocks of different sizes; negative counts are differences.</summary>
internal struct SpaceClaim : IEquatable<SpaceClaim>
{
    private const int BlockRadix = 14;

    /// <summary>Blocks of 32 and 64 KiB.</summary>
    internal long Groups { get; private set; }

    /// <summary>Blocks of 16 KiB.</summary>
    internal long Blocks { get; private set; }

    /// <summary>Bytes of blocks below 16 KiB.</summary>
    internal long FragmentBytes { get; private set; }

    /// <summary>True when nothing is claimed.</summary>
    internal readonly bool IsEmpty => Groups == 0 && Blocks == 0 && FragmentBytes == 0;

    /// <summary>A claim of one block.</summary>
    internal static SpaceClaim OfBlock(int radix)
    {
        var claim = new SpaceClaim();
        claim.AddBlock(radix);
        return claim;
    }

    /// <summary>Adds a block of 2^<paramref name="radix"/> bytes.</summary>
    internal void AddBlock(int radix) => AddBlocks(radix, 1);

    /// <summary>Adds <paramref name="count"/> blocks of 2^<paramref name="radix"/> bytes.</summary>
    internal void AddBlocks(int radix, long count)
    {
        Invariant.Check(radix is >= FormatLimits.AllocationRadixMin and <= FormatLimits.AllocationRadixMax);
        if (radix > BlockRadix)
            Groups += count;
        else if (radix == BlockRadix)
            Blocks += count;
        else
            FragmentBytes += count << radix;
    }

    /// <summary>Takes a block out again.</summary>
    internal void RemoveBlock(int radix) => AddBlocks(radix, -1);

    /// <summary>Adds another claim.</summary>
    internal void Add(in SpaceClaim other)
    {
        Groups += other.Groups;
        Blocks += other.Blocks;
        FragmentBytes += other.FragmentBytes;
    }

    /// <summary>Takes another claim out.</summary>
    internal void Remove(in SpaceClaim other)
    {
        Groups -= other.Groups;
        Blocks -= other.Blocks;
        FragmentBytes -= other.FragmentBytes;
    }

    /// <summary>True when no count is negative: the claim can be kept against free space.</summary>
    internal readonly bool IsSound => Groups >= 0 && Blocks >= 0 && FragmentBytes >= 0;

    public readonly bool Equals(SpaceClaim other) =>
        Groups == other.Groups && Blocks == other.Blocks && FragmentBytes == other.FragmentBytes;

    public override readonly bool Equals(object? obj) => obj is SpaceClaim other && Equals(other);

    public override readonly int GetHashCode() => HashCode.Combine(Groups, Blocks, FragmentBytes);

    /// <inheritdoc/>
    public override readonly string ToString() => $"{Groups} groups, {Blocks} blocks, {FragmentBytes} bytes of fragments";
}
