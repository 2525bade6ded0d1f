// What a verification found. Plain data: commands print it, tests compare it.
// Messages are single lines; paths are there where names lead to the damaged object.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>One block that could not be read or is wrong.</summary>
/// <param name="Error">What kind of failure.</param>
/// <param name="Pfs">Label of the PFS, or null for the super-root and the freemap.</param>
/// <param name="InodeNumber">Inode that the block belongs to; 0 when unknown.</param>
/// <param name="Path">A path of that inode, or null when none was found.</param>
/// <param name="Offset">Address of the block in the volume, bytes.</param>
/// <param name="BlockRef">The reference, in one line.</param>
/// <param name="Message">What is wrong, in one line.</param>
public sealed record VerifyFinding(
    Hammer2Error Error, string? Pfs, ulong InodeNumber, string? Path, ulong Offset, string BlockRef, string Message);

/// <summary>How far a verification is.</summary>
/// <param name="Blocks">Blocks verified.</param>
/// <param name="Bytes">Bytes of them as stored.</param>
/// <param name="BytesExpected">Bytes in use as the header says; an estimate.</param>
/// <param name="Findings">Failures so far.</param>
public readonly record struct VerifyProgress(long Blocks, long Bytes, long BytesExpected, long Findings);

/// <summary>Result of a verification.</summary>
/// <param name="Inodes">Inodes verified.</param>
/// <param name="Indirects">Indirect blocks verified.</param>
/// <param name="DataBlocks">File blocks verified.</param>
/// <param name="DirectoryEntries">Directory entries seen.</param>
/// <param name="FreemapBlocks">Freemap nodes and leaves verified.</param>
/// <param name="Bytes">Bytes of all blocks as stored.</param>
/// <param name="UncheckedBlocks">Blocks that carry no check code.</param>
/// <param name="FindingCount">Number of failures.</param>
/// <param name="Findings">The first of them, see <see cref="VolumeVerifier.FindingsMax"/>.</param>
/// <param name="Warnings">Header copies that were passed over.</param>
public sealed record VerifyReport(
    long Inodes,
    long Indirects,
    long DataBlocks,
    long DirectoryEntries,
    long FreemapBlocks,
    long Bytes,
    long UncheckedBlocks,
    long FindingCount,
    IReadOnlyList<VerifyFinding> Findings,
    IReadOnlyList<string> Warnings)
{
    /// <summary>True when every block was read and is right.</summary>
    public bool IsClean => FindingCount == 0;
}
