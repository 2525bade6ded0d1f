// The rules of a single blockref (format page 3, and points 1, 2 and 6 of 13.2), of the tree that it stands in and of the
// volume's layout. Stateless; what depends on neighbours, parents and other trees is checked by the walk.

using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Which tree a blockref stands in.</summary>
internal enum TreeKind
{
    /// <summary>The super-root blockset of the header.</summary>
    Header,

    /// <summary>The super-root's tree: PFS roots.</summary>
    SuperRoot,

    /// <summary>A PFS root's tree: the inode index, and its own entries.</summary>
    PfsRoot,

    /// <summary>A directory's tree.</summary>
    Directory,

    /// <summary>The tree of a file or symbolic link.</summary>
    File,

    /// <summary>The tree of an object that has no contents.</summary>
    Nothing,

    /// <summary>The freemap.</summary>
    Freemap,
}

/// <summary>Checks blockrefs by themselves.</summary>
internal sealed class BlockRefRules(FindingList findings, VolumeSet volumes, VolumeHeader header)
{
    private const byte KnownFlags = BlockRef.FlagPfsRoot | BlockRef.FlagEmergency;
    internal const int DirentPadOffset = 0x3B;
    internal const int EmbedOffset = 0x30;
    internal const int EmbedBytes = 16;
    private const int FreemapHintBytes = 16;

    internal static bool IsZero(in BlockRef bref) => Bytes(bref).IndexOfAnyExcept((byte)0) < 0;

    /// <summary>Whether keys are aligned to their ranges.</summary>
    internal static bool IsAligned(in BlockRef bref) =>
        bref.KeyBits < 64 ? (bref.Key & ((1UL << bref.KeyBits) - 1)) == 0 : bref.KeyBits == 64 && bref.Key == 0;

    /// <summary>Checks everything that the reference shows by itself; false: it must not be followed.</summary>
    internal bool Check(in BlockRef bref, TreeKind kind, in Place place)
    {
        if (!TypeFits(bref, kind))
        {
            findings.Add(CheckCodes.RefType, place, bref, $"A blockref of type {MethodNames.Of(bref.Type)} does not belong here.");
            return false;
        }

        bool methods = CheckMethods(bref, place);
        CheckKeyBits(bref, kind, place);
        CheckUnused(bref, kind, place);
        return CheckAddress(bref, kind, place) && methods;
    }

    private static bool TypeFits(in BlockRef bref, TreeKind kind)
    {
        bool entryKey = bref.Key >= FormatLimits.DirectoryKeyBase;
        return bref.Type switch
        {
            // Very old versions kept inodes in their directories, at the hash of their names.
            BlockRefType.Inode => kind is TreeKind.Header or TreeKind.SuperRoot or TreeKind.PfsRoot || kind == TreeKind.Directory && entryKey,
            BlockRefType.Indirect => kind is TreeKind.SuperRoot or TreeKind.PfsRoot or TreeKind.Directory or TreeKind.File,
            BlockRefType.Data => kind == TreeKind.File,
            BlockRefType.Dirent => kind is TreeKind.PfsRoot or TreeKind.Directory && entryKey,
            BlockRefType.FreemapNode or BlockRefType.FreemapLeaf => kind == TreeKind.Freemap,
            _ => false,
        };
    }

    private bool CheckMethods(in BlockRef bref, in Place place)
    {
        bool freemap = bref.Type is BlockRefType.FreemapNode or BlockRefType.FreemapLeaf;
        bool known = freemap ? bref.CheckMethod == CheckMethod.Freemap : Checks.IsKnown(bref.CheckMethod);
        bool compression = bref.Type switch
        {
            BlockRefType.Data => bref.Compression is CompressionMethod.None or CompressionMethod.Lz4 or CompressionMethod.Zlib,
            BlockRefType.Inode or BlockRefType.Dirent => bref.Compression <= CompressionMethod.Zlib,
            _ => bref.Compression == CompressionMethod.None,
        };
        if (!known || !compression)
            findings.Add(CheckCodes.RefMethods, place, bref, $"Methods 0x{bref.Methods:x2} are not legal for a blockref of type {MethodNames.Of(bref.Type)}.");

        // A wrong compression nibble on metadata means nothing to readers (trap T3).
        return known && (compression || bref.Type != BlockRefType.Data);
    }

    private void CheckKeyBits(in BlockRef bref, TreeKind kind, in Place place)
    {
        bool fits = bref.Type switch
        {
            BlockRefType.Inode or BlockRefType.Dirent => bref.KeyBits == 0,
            BlockRefType.Data => bref.KeyBits == FormatLimits.LogicalBlockRadix,
            BlockRefType.Indirect when kind == TreeKind.File => bref.KeyBits is > FormatLimits.LogicalBlockRadix and < 64,
            BlockRefType.Indirect => bref.KeyBits is > 0 and < 64,
            _ => true,
        };
        if (!fits)
            findings.Add(CheckCodes.RefKeyBits, place, bref, $"A key range of 2^{bref.KeyBits} is not legal for a blockref of type {MethodNames.Of(bref.Type)}.");
        if (bref.Type == BlockRefType.Data && bref.Key % FormatLimits.LogicalBlockBytes != 0)
            findings.Add(CheckCodes.DataKey, place, bref, $"The file offset 0x{bref.Key:x} of a data block is not a multiple of 64 KiB.");
    }

    private void CheckUnused(in BlockRef bref, TreeKind kind, in Place place)
    {
        if ((bref.Flags & ~KnownFlags) != 0 || (bref.Flags & BlockRef.FlagPfsRoot) != 0 && (kind != TreeKind.SuperRoot || bref.Type != BlockRefType.Inode))
            findings.Add(CheckCodes.RefFlags, place, bref, $"Flags 0x{bref.Flags:x2} have no meaning here.");
        if ((bref.Flags & BlockRef.FlagEmergency) != 0)
            findings.Add(CheckCodes.RefEmergency, place, bref, $"The block was modified in place in emergency mode.");
        if (UnusedOf(bref) is string what)
            findings.Add(CheckCodes.RefUnused, place, bref, $"Unused bytes of the blockref are not zero ({what}).");
    }

    /// <summary>Bytes of the check area that mean something.</summary>
    internal static int CheckBytesUsed(in BlockRef bref) => bref.CheckMethod switch
    {
        CheckMethod.Iscsi32 => sizeof(uint),
        CheckMethod.XxHash64 => sizeof(ulong),
        CheckMethod.Sha192 => Checks.CodeBytesMax,
        CheckMethod.Freemap when bref.Type is BlockRefType.FreemapLeaf or BlockRefType.FreemapNode => FreemapHintBytes,
        CheckMethod.Freemap => sizeof(uint),
        _ => Format.CheckArea.Bytes,
    };

    private static string? UnusedOf(in BlockRef bref)
    {
        if (bref.UpdateTid != 0)
            return "update TID";
        bool counts = bref.Type is BlockRefType.Inode or BlockRefType.Indirect;
        if (!counts && bref.LeafCount != 0)
            return "leaf count";
        ReadOnlySpan<byte> bytes = Bytes(bref);
        bool embed = bref.Type == BlockRefType.Dirent
            ? bytes[DirentPadOffset..(EmbedOffset + EmbedBytes)].IndexOfAnyExcept((byte)0) < 0
            : counts || bytes.Slice(EmbedOffset, EmbedBytes).IndexOfAnyExcept((byte)0) < 0;
        if (!embed)
            return "embedded area";
        if (!bref.Physical.HasData)
            return bref.DataOff == 0 ? null : "address of no block";

        // Without a method the check area holds whatever was there.
        ReadOnlySpan<byte> check = BlockRef.CheckBytes(bref);
        return check[CheckBytesUsed(bref)..].IndexOfAnyExcept((byte)0) < 0 ? null : "check area";
    }

    private bool CheckAddress(in BlockRef bref, TreeKind kind, in Place place)
    {
        PhysicalOffset at = bref.Physical;
        if (!at.HasData && bref.Type == BlockRefType.Dirent)
            return true;
        if (!at.IsLegal || !RadixFits(bref.Type, at.Radix))
        {
            findings.Add(CheckCodes.AddressIllegal, place, bref, $"Address or size {at} is not legal for a blockref of type {MethodNames.Of(bref.Type)}.");
            return false;
        }

        if (!volumes.Contains(at.Offset, at.Bytes))
        {
            findings.Add(CheckCodes.AddressOutside, place, bref, $"The block lies outside the volume, which ends at 0x{volumes.Length:x}.");
            return false;
        }

        if (kind == TreeKind.Freemap)
            return true;
        CheckArea(bref, kind, place);
        return true;
    }

    // A block in a reserved area is read and followed nevertheless: what it says may still be right.
    private void CheckArea(in BlockRef bref, TreeKind kind, in Place place)
    {
        PhysicalOffset at = bref.Physical;
        bool formatted = bref.Type == BlockRefType.Inode && kind is TreeKind.Header or TreeKind.SuperRoot;
        if ((at.Offset & (ulong)(FormatLimits.ZoneBytes - 1)) < (ulong)FormatLimits.ReservedBytes)
            findings.Add(CheckCodes.AddressReserved, place, bref, $"The block lies in the 4 MiB that are reserved at the start of every GiB.");
        else if (at.Offset < (formatted ? header.AuxEnd : header.AllocatorBegin))
            findings.Add(CheckCodes.AddressReserved, place, bref, $"The block lies below the allocator's first byte 0x{header.AllocatorBegin:x}.");
        if (at.Bytes >= FormatLimits.FreemapGranularity && at.Offset % (ulong)at.Bytes != 0)
            findings.Add(CheckCodes.AddressUnaligned, place, bref, $"A block of {at.Bytes} bytes is not aligned to its size.");
    }

    private static bool RadixFits(BlockRefType type, int radix) => type switch
    {
        BlockRefType.Inode or BlockRefType.Dirent => radix == BitOperations.Log2(FormatLimits.InodeBytes),
        BlockRefType.Indirect => radix is 12 or 14 or 16,
        BlockRefType.FreemapNode or BlockRefType.FreemapLeaf => radix == FormatLimits.FreemapRadix,
        _ => true,
    };

    private static ReadOnlySpan<byte> Bytes(in BlockRef bref) => MemoryMarshal.AsBytes(new ReadOnlySpan<BlockRef>(in bref));
}
