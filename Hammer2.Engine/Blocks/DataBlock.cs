// One logical block on its way to the medium: what the caller hands to BlockWriter.WriteData and what it gets back.
// The bytes belong to the caller and stay where they are, unchanged, until the call returns.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>A logical file block to be written.</summary>
internal unsafe struct DataBlock
{
    /// <summary>File offset of the block, a multiple of 64 KiB.</summary>
    internal ulong Key;

    /// <summary>The bytes; pinned or unmanaged.</summary>
    internal byte* Logical;

    /// <summary>How many, by format page 7.2: a power of two from 1 to 64 KiB; zeros beyond the end of the file.</summary>
    internal int LogicalBytes;

    /// <summary>The inode's compression setting: method and level.</summary>
    internal byte CompressionSetting;

    /// <summary>The inode's check method.</summary>
    internal CheckMethod Check;

    /// <summary>The inode's; null tries to compress always.</summary>
    internal CompressionHistory? History;

    /// <summary>Out: the reference to insert; undefined for a hole.</summary>
    internal BlockRef Ref;

    /// <summary>Out: all zeros, nothing is stored; an existing reference is to be deleted.</summary>
    internal bool IsHole;

    internal readonly ReadOnlySpan<byte> Bytes => new(Logical, LogicalBytes);
}
