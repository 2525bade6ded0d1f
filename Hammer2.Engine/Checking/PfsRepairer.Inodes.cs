// Steps that change inodes and the trees below them: link counts, parents, fields of one legal value, the way of nameless
// objects into lost+found, and nodes that are written anew because a commit computes their statistics.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

internal sealed partial class PfsRepairer
{
    /// <summary>Directory in the root of a PFS that takes what has no name.</summary>
    internal static ReadOnlySpan<byte> LostAndFound => "lost+found"u8;

    private const uint ModeMask = 0xFFF;
    private const uint LostAndFoundMode = 0x1C0;
    private const int NameTriesMax = 1000;
    private ulong _lostAndFound;

    private void ChangeInode(RepairStep step, SpaceLedger ledger)
    {
        Inode inode = Open(step.Place.Inode);
        try
        {
            using InodeLock held = InodeLock.Exclusive(inode);
            InodeSlot slot = inode.Slot;
            ref InodeData data = ref slot.Current.Content.Data;
            switch (step.Kind)
            {
                case RepairKind.SetLinks:
                    Index.MarkDirty(slot, ledger);
                    data.LinkCount = step.Value;
                    break;
                case RepairKind.SetParent:
                    Index.MarkDirty(slot, ledger);
                    data.ParentInode = step.Value;
                    break;
                case RepairKind.RewriteInode:
                    if (step.Code == CheckCodes.InodeSize && data.Type != ObjectType.Directory)
                        throw new Hammer2Exception(Hammer2Error.Corrupt, "Nothing says how long it is.");
                    Index.MarkDirty(slot, ledger);
                    Tidy(slot);
                    break;
                case RepairKind.RemoveInode:
                    RemoveInode(slot, ledger);
                    break;
                case RepairKind.CleanLeaf:
                    CleanLeaf(slot, step, ledger);
                    break;
                case RepairKind.RewriteNode:
                    if (slot.Current.Content.Tree.TryTouch(_volume.Reader, step.Value, step.KeyBits, ledger))
                        Index.MarkDirty(slot, ledger);
                    break;
                default:
                    throw new InvalidOperationException($"Step {step.Kind} is none of an inode.");
            }
        }
        finally
        {
            Index.Close(inode);
        }
    }

    // Fields that have one legal value; the rest is the owner's.
    private void Tidy(InodeSlot slot)
    {
        bool root = ReferenceEquals(slot, Index.Root);
        InodeContent content = slot.Current.Content;
        ref InodeData data = ref content.Data;
        data.Mode &= ModeMask;
        data.OpFlags = (byte)(data.OpFlags & InodeData.OpDirectData | (root ? InodeData.OpPfsRoot : 0));
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<InodeData>(ref data));
        foreach ((int offset, int length) in InodeRules.Reserved)
            bytes.Slice(offset, length).Clear();
        if (data.Type == ObjectType.Directory)
            data.Size = 0;
        if (root && data.ParentInode > FormatLimits.RootInodeNumber)
            data.ParentInode = 0;
        BlockRef bref = slot.Current.Ref;
        data.NameKey = bref.Key;
        bref.UpdateTid = 0;
        bref.Flags = (byte)(root ? bref.Flags & BlockRef.FlagEmergency | BlockRef.FlagPfsRoot : bref.Flags & BlockRef.FlagEmergency);
        BoundTids(content.Tree.Root.Refs);
        slot.Replace(new InodeChain(bref, content));

        // What the blockset refers to must not be ahead of the inode's own new reference.
        void BoundTids(ReadOnlySpan<BlockRef> refs)
        {
            for (int i = 0; i < refs.Length; i++)
                content.Tree.Root[i].MirrorTid = Math.Min(refs[i].MirrorTid, _writer.OpenTid);
        }
    }

    private void RemoveInode(InodeSlot slot, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;

        // Blocks that say they are newer than any commit would be given back at once; these are committed ones.
        for (int i = 0; i < content.Tree.Root.Count; i++)
            content.Tree.Root[i].MirrorTid = Math.Min(content.Tree.Root[i].MirrorTid, _writer.OpenTid - 1);
        Index.MarkDirty(slot, ledger);
        slot.RemovedTid = _writer.OpenTid;
        slot.IsRemoved = true;
    }

    private void CleanLeaf(InodeSlot slot, RepairStep step, SpaceLedger ledger)
    {
        ulong key = step.Value;
        InodeContent content = slot.Current.Content;
        if (!content.Tree.TryFind(_volume.Reader, key, out BlockRef bref) || bref.Key != key || bref.Type is not (BlockRefType.Data or BlockRefType.Dirent))
            return;
        BlockRef clean = bref;

        // A name that has a block is written into a new one.
        byte[]? name = bref.Type == BlockRefType.Dirent && bref.DirentNameLength > FormatLimits.InlineNameBytesMax ? NameOf(content, bref) : null;
        if (name is not null)
            (clean.DataOff, clean.Methods) = (0, 0);
        clean.UpdateTid = 0;
        clean.LeafCount = 0;
        clean.Flags &= BlockRef.FlagEmergency;
        clean.MirrorTid = Math.Min(clean.MirrorTid, _writer.OpenTid);
        ClearUnused(ref clean);

        // Transaction ids were bounded when the array was loaded.
        if (step.Code != CheckCodes.MirrorTidOrder && MemoryMarshal.AsBytes(new ReadOnlySpan<BlockRef>(in clean)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<BlockRef>(in bref))))
            throw new Hammer2Exception(Hammer2Error.Corrupt, "What it should be is not known.");
        Index.MarkDirty(slot, ledger);
        content.Tree.Change(_volume.Reader, clean, name, ledger);
    }

    private static void ClearUnused(ref BlockRef bref)
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<BlockRef>(ref bref));
        Span<byte> area = bytes[(FormatLimits.BlockRefBytes - CheckArea.Bytes)..];
        if (bref.Type == BlockRefType.Dirent)
        {
            bytes[BlockRefRules.DirentPadOffset..(BlockRefRules.EmbedOffset + BlockRefRules.EmbedBytes)].Clear();
            if (!bref.Physical.HasData)
            {
                bref.DataOff = 0;
                area[Math.Min((int)bref.DirentNameLength, area.Length)..].Clear();
                return;
            }
        }
        else
        {
            bytes.Slice(BlockRefRules.EmbedOffset, BlockRefRules.EmbedBytes).Clear();
        }

        area[BlockRefRules.CheckBytesUsed(bref)..].Clear();
    }

    // The entry goes into lost+found as "#number"; links and parent are set here, since the directory may be new.
    private void Rescue(ulong number, ObjectType type, SpaceLedger ledger)
    {
        Inode inode = Open(number);
        Inode? directory = null;
        try
        {
            directory = OpenLostAndFound(ledger);
            using InodeLocks held = InodeLocks.Exclusive(directory.Slot, inode.Slot);
            InodeContent parent = directory.Slot.Current.Content;
            string text = number.ToString(CultureInfo.InvariantCulture);
            byte[] name = Encoding.ASCII.GetBytes("#" + text);
            if (_pfs.Directories.TryFindEntry(parent, name, out _) == Hammer2Error.None)
                name = FreeName(parent, name, text);
            Index.MarkDirty(inode.Slot, ledger);
            Index.MarkDirty(directory.Slot, ledger);
            AddEntry(parent, name, number, type, ledger);
            ref InodeData data = ref inode.Slot.Current.Content.Data;
            if (type != ObjectType.Directory)
                return;
            data.ParentInode = directory.Slot.InodeNumber;
            if (parent.Data.LinkCount > 1)
                parent.Data.LinkCount++;
        }
        finally
        {
            if (directory is not null)
                Index.Close(directory);
            Index.Close(inode);
        }
    }

    private Inode OpenLostAndFound(SpaceLedger ledger)
    {
        if (_lostAndFound != 0)
            return Open(_lostAndFound);
        using InodeLock held = InodeLock.Exclusive(Index.Root);
        InodeContent root = Index.Root.Current.Content;
        for (int n = 1; n < NameTriesMax; n++)
        {
            byte[] name = n == 1 ? LostAndFound.ToArray() : [.. LostAndFound, .. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"~{n}"))];
            Hammer2Error found = _pfs.Directories.TryFindEntry(root, name, out BlockRef entry);
            if (found == Hammer2Error.NotFound)
                return MakeLostAndFound(root, name, ledger);
            if (found == Hammer2Error.None && entry.DirentType == ObjectType.Directory && TryOpenDirectory(entry.DirentInode) is Inode directory)
            {
                _lostAndFound = entry.DirentInode;
                return directory;
            }
        }

        throw new Hammer2Exception(Hammer2Error.Exists, "No directory lost+found can be made: all its names are taken.");
    }

    private Inode? TryOpenDirectory(ulong number)
    {
        try
        {
            if (number == FormatLimits.RootInodeNumber || Index.TryOpen(number, out Inode? inode) != Hammer2Error.None)
                return null;
            if (inode!.Slot.Current.Content.Data.Type == ObjectType.Directory && !inode.Slot.IsLegacy)
                return inode;
            Index.Close(inode);
            return null;
        }
        catch (Hammer2Exception)
        {
            // A lost+found that cannot be read is one of the findings that stay; another one is made.
            return null;
        }
    }

    private Inode MakeLostAndFound(InodeContent root, byte[] name, SpaceLedger ledger)
    {
        long now = MediaTime.Now();
        var data = new InodeData
        {
            Type = ObjectType.Directory,
            Mode = LostAndFoundMode,
            ChangeTime = now,
            ModifyTime = now,
            BirthTime = now,
            LinkCount = 1,
            ParentInode = FormatLimits.RootInodeNumber,
            CompressionSetting = root.Data.CompressionSetting,
            CheckSetting = root.Data.CheckSetting,
        };
        int check = root.Data.CheckSetting & 0x0F;
        int methods = (check is > (int)CheckMethod.None and <= (int)CheckMethod.Freemap ? check : (int)CheckMethod.XxHash64) << 4;
        Inode made = Index.Create(data, (byte)methods, ledger);
        _lostAndFound = made.Slot.InodeNumber;
        AddEntry(root, name, made.Slot.InodeNumber, ObjectType.Directory, ledger);
        if (root.Data.LinkCount > 1)
            root.Data.LinkCount++;
        return made;
    }
}
