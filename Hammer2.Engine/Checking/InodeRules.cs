// The rules of an inode block by itself (format page 5 and 13.2): numbers, sizes, types, flags, settings, the name
// field and the bytes that hold nothing. Stateless. Links and parents are checked when the whole PFS is known.

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Unicode;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Checks inode blocks.</summary>
internal sealed class InodeRules(FindingList findings)
{
    private const uint ModeMask = 0xFFF;
    private const byte KnownOpFlags = InodeData.OpDirectData | InodeData.OpPfsRoot;
    private const int OrdinaryNameLength = 18;

    // No system takes longer targets, and readers refuse them: one logical block.
    private const ulong SymlinkBytesMax = FormatLimits.LogicalBlockBytes;

    // Byte ranges that hold nothing (format page 5.1).
    internal static readonly (int Offset, int Bytes)[] Reserved =
        [(0x02, 1), (0x52, 2), (0x82, 1), (0x84, 1), (0xB8, 8), (0xC8, 8), (0xD8, 8), (0xE0, 8), (0xE8, 24)];

    /// <summary>Any inode; false: its blockset must not be followed.</summary>
    internal bool Check(in BlockRef bref, in Place place, ReadOnlySpan<byte> block)
    {
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        if (data.Version != 1)
        {
            findings.Add(CheckCodes.InodeVersion, place, bref, $"Inode version {data.Version} is unknown.");
            return false;
        }

        if (!MethodNames.IsKnown(data.Type))
            findings.Add(CheckCodes.InodeType, place, bref, $"Object type {(int)data.Type} is unknown.");
        CheckSizes(bref, place, data, block);
        if (data.Mode > ModeMask)
            findings.Add(CheckCodes.InodeMode, place, bref, $"Mode 0x{data.Mode:x} has more than permission bits.");
        if ((data.CompressionSetting & 0x0F) > (int)CompressionMethod.Zlib || data.CheckSetting > (int)CheckMethod.Freemap)
            findings.Add(CheckCodes.InodeMethods, place, bref, $"Compression setting 0x{data.CompressionSetting:x2} or check setting 0x{data.CheckSetting:x2} is unknown.");
        foreach ((int offset, int bytes) in Reserved)
        {
            if (block.Slice(offset, bytes).IndexOfAnyExcept((byte)0) >= 0)
                findings.Add(CheckCodes.InodeReserved, place, bref, $"Reserved bytes of the inode from 0x{offset:x} on are not zero.");
        }

        ReadOnlySpan<byte> nameField = block.Slice(InodeData.NameOffset, InodeData.NameFieldBytes);
        if (data.NameLength > InodeData.NameFieldBytes)
            findings.Add(CheckCodes.InodeNameLength, place, bref, $"The inode says that its name has {data.NameLength} bytes.");
        else if (nameField[data.NameLength..].IndexOfAnyExcept((byte)0) >= 0)
            findings.Add(CheckCodes.InodeName, place, bref, $"The name field of the inode does not fit its length {data.NameLength}.");
        if (data.NameKey != bref.Key)
            findings.Add(CheckCodes.InodeNameKey, place, bref, $"The inode says that it is stored under key 0x{data.NameKey:x}.");
        return !data.IsDirectData;
    }

    /// <summary>An inode of the index of a PFS.</summary>
    internal void CheckObject(in BlockRef bref, in Place place, ReadOnlySpan<byte> block, ulong nextInode)
    {
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        if (data.InodeNumber != bref.Key)
            findings.Add(CheckCodes.InodeNumber, place, bref, $"The inode says that its number is {data.InodeNumber}.");
        if (bref.Key < FormatLimits.FirstInodeNumber)
            findings.Add(CheckCodes.InodeNumberRange, place, bref, $"Inode numbers below {FormatLimits.FirstInodeNumber} are not given to objects.");
        if (bref.Key >= nextInode)
            findings.Add(CheckCodes.InodeNumberNext, place, bref, $"The PFS says that its next inode number is {nextInode}.");
        if ((data.OpFlags & ~InodeData.OpDirectData) != 0)
            findings.Add(CheckCodes.InodePfsFlag, place, bref, $"Flags 0x{data.OpFlags:x2} are not legal for an object inside a PFS.");
        if (!IsOrdinaryName(data.InodeNumber, block.Slice(InodeData.NameOffset, Math.Min((int)data.NameLength, InodeData.NameFieldBytes))))
            findings.Add(CheckCodes.InodeName, place, bref, $"The name field of the inode is not its number in hexadecimal.");
    }

    /// <summary>The root of a PFS.</summary>
    internal void CheckPfsRoot(in BlockRef bref, in Place place, ReadOnlySpan<byte> block)
    {
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        if (data.InodeNumber != FormatLimits.RootInodeNumber || data.Type != ObjectType.Directory)
            findings.Add(CheckCodes.PfsRoot, place, bref, $"A PFS root must be directory inode 1, this is {MethodNames.Of(data.Type)} {data.InodeNumber}.");
        if ((data.OpFlags & KnownOpFlags) != InodeData.OpPfsRoot || (data.OpFlags & ~KnownOpFlags) != 0)
            findings.Add(CheckCodes.InodePfsFlag, place, bref, $"Flags 0x{data.OpFlags:x2} are not those of a PFS root.");
        if ((bref.Flags & BlockRef.FlagPfsRoot) == 0)
            findings.Add(CheckCodes.PfsFlag, place, bref, $"The blockref of a PFS root lacks the PFS flag.");
        if ((data.PfsType & 0x0F) is not ((int)PfsType.Cache or (int)PfsType.Slave or (int)PfsType.SoftSlave or (int)PfsType.SoftMaster or (int)PfsType.Master)
            || data.PfsSubtype > (int)PfsSubtype.AutoSnapshot)
            findings.Add(CheckCodes.PfsType, place, bref, $"PFS type 0x{data.PfsType:x2} or subtype {data.PfsSubtype} is unknown.");
        if (data.ParentInode > FormatLimits.RootInodeNumber)
            findings.Add(CheckCodes.DirectoryParent, place, bref, $"The root names inode {data.ParentInode} as its parent.");
        ReadOnlySpan<byte> label = block.Slice(InodeData.NameOffset, Math.Min((int)data.NameLength, FormatLimits.NameBytesMax));
        ulong hash = DirectoryHash.Compute(label);
        if (data.NameLength is 0 or > FormatLimits.NameBytesMax || bref.Key < hash || bref.Key - hash > FormatLimits.CollisionMask)
            findings.Add(CheckCodes.PfsLabel, place, bref, $"The label of {data.NameLength} bytes is not one that key 0x{bref.Key:x} stands for.");
    }

    /// <summary>The super-root.</summary>
    internal void CheckSuperRoot(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        ReadOnlySpan<byte> name = block.Slice(InodeData.NameOffset, Math.Min((int)data.NameLength, InodeData.NameFieldBytes));
        if (data.InodeNumber != 0 || data.Type != ObjectType.Directory || data.OpFlags != 0 || data.PfsType != (int)PfsType.SuperRoot || !name.SequenceEqual("SUPROOT"u8))
            findings.Add(CheckCodes.SuperRootFields, default, bref, $"Number, type, flags or name of the super-root inode are not those of a super-root.");
    }

    private void CheckSizes(in BlockRef bref, in Place place, in InodeData data, ReadOnlySpan<byte> block)
    {
        bool legal = data.Size <= long.MaxValue && data.Type switch
        {
            ObjectType.Directory => data.Size == 0,
            ObjectType.Symlink => data.Size is >= 1 and <= SymlinkBytesMax,
            _ => true,
        };
        if (!legal)
            findings.Add(CheckCodes.InodeSize, place, bref, $"A size of 0x{data.Size:x} is not legal for a {MethodNames.Of(data.Type)}.");
        if (!data.IsDirectData)
            return;
        if (data.Type is not (ObjectType.File or ObjectType.Symlink) || data.Size > FormatLimits.EmbeddedBytes)
            findings.Add(CheckCodes.InodeDirectData, place, bref, $"Bytes inside the inode of a {MethodNames.Of(data.Type)} of {data.Size} bytes.");
        else if (block[(InodeData.UnionOffset + (int)data.Size)..].IndexOfAnyExcept((byte)0) >= 0)
            findings.Add(CheckCodes.InodeDirectTail, place, bref, $"Bytes inside the inode after the end of the file are not zero.");
    }

    private static bool IsOrdinaryName(ulong number, ReadOnlySpan<byte> name)
    {
        Span<byte> ordinary = stackalloc byte[OrdinaryNameLength];
        return Utf8.TryWrite(ordinary, CultureInfo.InvariantCulture, $"0x{number:x16}", out int length) && name.SequenceEqual(ordinary[..length]);
    }
}
