// Looks at every KiB of a medium for what might be an inode and at every 128 bytes for what might be a reference (format pages
// 3 and 5). Only what passes every rule that the block shows by itself is remembered. Invariants: the medium is read once, in
// ascending order; what cannot be read is counted and passed over; memory does not grow with the medium.

using System.Buffers;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>The raw scan.</summary>
internal sealed class RecoveryScan
{
    private const int PieceBytes = 4 << 20;
    private const int BlockBytes = FormatLimits.BlockBytesMax;
    private const int SectorBytes = 4096;
    private const int UnitBytes = 1 << FormatLimits.AllocationRadixMin;
    private const int ReferenceBytes = 64;
    private const int KnownInodeFlags = 0x07;
    private const uint ModeMask = 0xFFF;
    private const ulong VisibleBit = 0x8000;
    private readonly byte[] _stored = new byte[UnitBytes];
    private readonly RecoverySpace _space;
    private readonly (byte[] Name, ulong Hash)[] _wanted;
    private readonly RecoveryTable<SeenInode> _inodes;
    private readonly RecoveryTable<SeenRef> _inodeRefs, _nodeRefs;

    /// <param name="space">The medium.</param>
    /// <param name="names">Names whose entries are wanted.</param>
    /// <param name="memoryBytes">For everything that is remembered.</param>
    internal RecoveryScan(RecoverySpace space, IEnumerable<byte[]> names, long memoryBytes)
    {
        _space = space;
        _wanted = [.. names.Select(static name => (name, DirectoryHash.Compute(name)))];

        // Lists may have twice their entries for a moment.
        int most = (int)Math.Clamp(memoryBytes / (2 * 3 * ReferenceBytes), 1024, 1 << 28);
        _inodes = new RecoveryTable<SeenInode>(most, static inode => inode.ChangeTime);
        _inodeRefs = new RecoveryTable<SeenRef>(most, static reference => reference.MirrorTid);
        _nodeRefs = new RecoveryTable<SeenRef>(most, static reference => reference.MirrorTid);
    }

    internal List<SeenName> Names { get; } = [];

    internal long UnreadableBytes { get; private set; }

    internal long Dropped => _inodes.Dropped + _inodeRefs.Dropped + _nodeRefs.Dropped;

    internal void Run(IProgress<long>? progress, CancellationToken stop)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            foreach (RecoverySpace.Part part in _space.Parts)
            {
                for (long at = 0; at < part.Length; at += PieceBytes)
                {
                    stop.ThrowIfCancellationRequested();
                    int length = (int)Math.Min(PieceBytes, part.Length - at);
                    ScanPiece((ulong)(part.Start + at), piece.AsSpan(0, length));
                    progress?.Report(length);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    internal (List<SeenInode> Inodes, List<SeenRef> InodeRefs, List<SeenRef> NodeRefs) Finish() =>
        (_inodes.Finish(), _inodeRefs.Finish(), _nodeRefs.Finish());

    private void ScanPiece(ulong start, Span<byte> piece)
    {
        bool whole = TryRead(start, piece);
        for (int at = 0; at < piece.Length; at += BlockBytes)
        {
            Span<byte> block = piece[at..Math.Min(piece.Length, at + BlockBytes)];
            if (!whole && !TryRead(start + (ulong)at, block))
                ScanSectors(start + (ulong)at, block);
            else if (block.ContainsAnyExcept((byte)0))
                ScanBlock(start + (ulong)at, block);
        }
    }

    // What lies beside an unreadable sector is worth as much as anything else.
    private void ScanSectors(ulong start, Span<byte> block)
    {
        for (int at = 0; at < block.Length; at += SectorBytes)
        {
            Span<byte> sector = block[at..Math.Min(block.Length, at + SectorBytes)];
            if (!TryRead(start + (ulong)at, sector))
                UnreadableBytes += sector.Length;
            else if (sector.ContainsAnyExcept((byte)0))
                ScanBlock(start + (ulong)at, sector);
        }
    }

    private bool TryRead(ulong offset, Span<byte> buffer)
    {
        try
        {
            _space.Read(offset, buffer);
            return true;
        }
        catch (Hammer2Exception)
        {
            // Told by the result; the caller tries smaller pieces and counts.
            return false;
        }
    }

    private void ScanBlock(ulong start, ReadOnlySpan<byte> block)
    {
        for (int at = 0; at + UnitBytes <= block.Length; at += UnitBytes)
        {
            ReadOnlySpan<byte> unit = block.Slice(at, UnitBytes);
            if (IsInode(unit))
            {
                ref readonly InodeData inode = ref MemoryMarshal.AsRef<InodeData>(unit);
                _inodes.Add(new SeenInode(
                    inode.InodeNumber, start + (ulong)at, inode.ParentInode, Checks.XxHash(unit), (ulong)Math.Max(0, inode.ChangeTime), inode.Type));
            }

            ReadOnlySpan<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(unit);
            for (int slot = 0; slot < refs.Length; slot++)
            {
                if (refs[slot].Type is >= BlockRefType.Inode and <= BlockRefType.Dirent && refs[slot].UpdateTid == 0)
                    Take(refs[slot], start + (ulong)(at + slot * FormatLimits.BlockRefBytes));
            }
        }
    }

    private void Take(in BlockRef bref, ulong at)
    {
        switch (bref.Type)
        {
            case BlockRefType.Inode when bref.KeyBits == 0 && bref.Physical.Radix == FormatLimits.AllocationRadixMin && HasBlock(bref):
                _inodeRefs.Add(SeenRef.Of(bref));
                break;
            case BlockRefType.Indirect when bref.Key >= FormatLimits.DirectoryKeyBase && bref.KeyBits is > 0 and < 64
                && bref.Physical.Radix is 12 or 14 or 16 && BlockRefRules.IsAligned(bref) && HasBlock(bref):
                _nodeRefs.Add(SeenRef.Of(bref));
                break;
            case BlockRefType.Dirent:
                TakeName(bref, at);
                break;
            default:
                // References to data prove nothing about names and inodes.
                break;
        }
    }

    private bool HasBlock(in BlockRef bref) =>
        bref.Physical.IsLegal && bref.CheckMethod <= CheckMethod.Freemap && _space.Contains(bref.Physical.Offset, bref.Physical.Bytes)
        && BlockRef.CheckBytes(bref)[Math.Min(Checks.CodeBytesMax, BlockRefRules.CheckBytesUsed(bref))..].IndexOfAnyExcept((byte)0) < 0;

    private void TakeName(in BlockRef bref, ulong at)
    {
        for (int i = 0; i < _wanted.Length; i++)
        {
            (byte[] name, ulong hash) = _wanted[i];
            if ((bref.Key & ~FormatLimits.CollisionMask) != (hash & ~FormatLimits.CollisionMask) || (bref.Key & VisibleBit) == 0 || bref.DirentNameLength != name.Length)
                continue;
            if (RecoveryEntries.TryName(_space, bref, _stored, out ReadOnlySpan<byte> found) && found.SequenceEqual(name))
                Names.Add(new SeenName(i, bref.DirentInode, bref.DirentType, at));
        }
    }

    // Every rule that an inode shows by itself; what the volume's other trees say about it comes later.
    private static bool IsInode(ReadOnlySpan<byte> unit)
    {
        ref readonly InodeData inode = ref MemoryMarshal.AsRef<InodeData>(unit);
        if (inode.Version != 1 || !MethodNames.IsKnown(inode.Type) || inode.Mode > ModeMask || (inode.OpFlags & ~KnownInodeFlags) != 0)
            return false;
        if (inode.InodeNumber is 0 or >= FormatLimits.DirectoryKeyBase || inode.Size > long.MaxValue || inode.NameLength > InodeData.NameFieldBytes)
            return false;
        bool size = inode.Type switch
        {
            ObjectType.Directory => inode.Size == 0 && !inode.IsDirectData,
            ObjectType.Symlink => inode.Size <= FormatLimits.LogicalBlockBytes,
            _ => true,
        };
        if (!size || inode.IsDirectData && inode.Size > FormatLimits.EmbeddedBytes)
            return false;
        if (inode.InodeNumber != FormatLimits.RootInodeNumber && inode.NameKey != inode.InodeNumber && inode.NameKey < FormatLimits.DirectoryKeyBase)
            return false;
        if ((inode.CompressionSetting & 0x0F) > (int)CompressionMethod.Zlib || inode.CheckSetting > (int)CheckMethod.Freemap)
            return false;
        foreach ((int offset, int bytes) in InodeRules.Reserved)
        {
            if (unit.Slice(offset, bytes).IndexOfAnyExcept((byte)0) >= 0)
                return false;
        }

        return unit[(InodeData.NameOffset + inode.NameLength)..InodeData.UnionOffset].IndexOfAnyExcept((byte)0) < 0;
    }
}
