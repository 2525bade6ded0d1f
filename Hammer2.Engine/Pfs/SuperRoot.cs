// The super-root: the tree whose entries are the PFS roots, keyed by the hash of their labels (format page 11.1).
// A damaged PFS root hides only itself: listing goes on and reports it.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Pfs;

/// <summary>Finds the PFSs of a volume.</summary>
internal sealed class SuperRoot
{
    private const int ListChunk = 32;
    private readonly BlockReader _reader;
    private readonly TransactionIds _tids;
    private InodeChain _chain;
    private ulong _frozenTid;

    /// <summary>Loads the super-root inode that the header points to.</summary>
    internal SuperRoot(BlockReader reader, TransactionIds tids, VolumeHeader header)
    {
        _reader = reader;
        _tids = tids;
        BlockRef[] roots = header.SuperRoot.ToArray();
        int live = NodeArray.Normalise(roots, "Super-root blockset of the volume header");
        if (!BlockTree.TryFind(reader, roots.AsSpan(0, live), 0, out BlockRef bref) || bref.Type != BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Corrupt, "The volume header has no super-root.");
        tids.Accept(ref bref);
        using BlockLease lease = reader.GetMetadata(bref);
        _chain = new InodeChain(bref, InodeContent.Decode(bref, lease.Data, new ManyReadersLock()));
    }

    /// <summary>The reference to the super-root inode, as the last freeze made it.</summary>
    internal BlockRef Ref => _chain.Ref;

    /// <summary>Largest modify TID that the super-root knows (format page 10.1).</summary>
    internal ulong ModifyTid => _chain.Ref.ModifyTid;

    /// <summary>Brings what is taken over from the medium into range, now that it will be written again (R2).</summary>
    internal void GuardLoaded() => _chain.Content.Tree.GuardLoaded(_tids.Accept, _chain.Ref.MirrorTid);

    /// <summary>Writes the super-root with the new references of changed PFS roots; no operation is running.</summary>
    /// <param name="changed">References of PFS roots, by their keys.</param>
    /// <param name="changes">Roots that come and go; their keys were made ready.</param>
    /// <param name="flush">Where blocks go.</param>
    /// <param name="modifyTid">Of this commit.</param>
    /// <param name="blockset">The header's, changed in place.</param>
    internal void Freeze(IReadOnlyList<BlockRef> changed, IReadOnlyList<RootChange> changes, in TreeFlush flush, ulong modifyTid, Span<BlockRef> blockset)
    {
        Volatile.Write(ref _frozenTid, flush.MirrorTid);
        InodeContent content = _chain.Content;
        foreach (BlockRef root in changed)
            content.Tree.Put(_reader, root, null);
        foreach (RootChange change in changes)
        {
            if (change is RootCreation creation)
                content.Tree.Put(_reader, WriteRoot(creation, flush, modifyTid), null);
            else
                content.Tree.Delete(_reader, change.Key, null);
        }

        content.Tree.Flush(flush);
        BlockRef bref = _chain.Ref;
        ArraySums.Of(content.Tree.Root.Refs).StoreIn(ref bref);
        bref.ModifyTid = Math.Max(bref.ModifyTid, modifyTid);
        bref.MirrorTid = flush.MirrorTid;
        Span<byte> block = stackalloc byte[FormatLimits.InodeBytes];
        content.Encode(block);
        flush.Writer.WriteMetadata(ref bref, block);
        content.Tree.MarkClean();
        _chain = new InodeChain(bref, content);
        int slot = 0;
        while (blockset[slot].Type != BlockRefType.Inode || blockset[slot].Key != 0)
            slot++;
        blockset[slot] = bref;
    }

    /// <summary>The key for a label that does not exist yet (format page 6.3).</summary>
    /// <exception cref="Hammer2Exception"><c>NoSpace</c>: 32768 labels share its hash.</exception>
    internal ulong FreeKey(byte[] label) =>
        new DirectoryWriter(_reader).TryFindFreeKey(_chain.Content.Tree, DirectoryHash.Compute(label), out ulong key)
            ? key
            : throw new Hammer2Exception(Hammer2Error.NoSpace, "The super-root has no room for another label of that hash.");

    /// <summary>Inside an operation: reads and claims what the next commit needs to change the entry of this key.</summary>
    internal void MakeReady(ulong key, SpaceLedger ledger)
    {
        _chain.Content.Tree.MakeRoom(_reader, key, ledger);
        ledger.Charge(FormatLimits.AllocationRadixMin);
    }

    // The new root's own reference; what it has in its blockset was written before.
    private static BlockRef WriteRoot(RootCreation creation, in TreeFlush flush, ulong modifyTid)
    {
        RootImage image = creation.Make();
        InodeData data = image.Data;
        data.NameKey = creation.Key;
        data.NameLength = (ushort)creation.Label.Length;
        Span<byte> block = stackalloc byte[FormatLimits.InodeBytes];
        block.Clear();
        MemoryMarshal.Write(block, data);
        creation.Label.CopyTo(block[InodeData.NameOffset..]);
        MemoryMarshal.AsBytes(image.Blockset.AsSpan()).CopyTo(block[InodeData.UnionOffset..]);
        var bref = new BlockRef
        {
            Type = BlockRefType.Inode,
            Methods = image.Methods,
            Flags = BlockRef.FlagPfsRoot,
            Key = creation.Key,
            MirrorTid = flush.MirrorTid,
            ModifyTid = modifyTid,
        };
        ArraySums.Of(image.Blockset).StoreIn(ref bref);
        flush.Writer.WriteMetadata(ref bref, block);
        return bref;
    }

    /// <summary>Every PFS root that can be read; the others go to <paramref name="damage"/>.</summary>
    internal List<InodeChain> List(TreeDamage damage)
    {
        var roots = new List<InodeChain>();
        var refs = new BlockRef[ListChunk];
        ulong? next = 0;
        while (next is ulong begin)
        {
            int count = _chain.Content.Tree.Gather(_reader, begin, ulong.MaxValue, refs, damage, out next);
            for (int i = 0; i < count; i++)
            {
                try
                {
                    roots.Add(Load(refs[i]));
                }
                catch (Hammer2Exception e)
                {
                    damage.Add(e);
                }
            }
        }

        return roots;
    }

    /// <summary>The root of the PFS with that label, or null.</summary>
    /// <exception cref="Hammer2Exception">The label was not found, but an entry of its hash is unreadable.</exception>
    internal InodeChain? Find(ReadOnlySpan<byte> label)
    {
        ulong hash = DirectoryHash.Compute(label);
        var refs = new BlockRef[ListChunk];
        Hammer2Exception? failure = null;
        ulong? next = hash;
        while (next is ulong begin)
        {
            int count = _chain.Content.Tree.Gather(_reader, begin, hash + FormatLimits.CollisionMask, refs, null, out next);
            for (int i = 0; i < count; i++)
            {
                try
                {
                    InodeChain root = Load(refs[i]);
                    if (label.SequenceEqual(root.Content.Name))
                        return root;
                }
                catch (Hammer2Exception e)
                {
                    failure ??= e;
                }
            }
        }

        return failure is null ? null : throw failure;
    }

    /// <summary>The root with exactly this key, or null.</summary>
    internal InodeChain? Find(ulong key) =>
        _chain.Content.Tree.TryFind(_reader, key, out BlockRef bref) && bref.Key == key ? Load(bref) : null;

    internal static PfsInfo Describe(InodeChain root)
    {
        ref readonly InodeData data = ref root.Content.Data;
        return new PfsInfo(
            Encoding.UTF8.GetString(root.Content.Name),
            (PfsType)(data.PfsType & 0x0F),
            (PfsSubtype)data.PfsSubtype,
            data.PfsClusterId,
            data.PfsFileSystemId,
            data.PfsNextInode,
            (CompressionMethod)(data.CompressionSetting & 0x0F),
            (CheckMethod)(data.CheckSetting & 0x0F),
            root.Ref.InodeCount,
            root.Ref.DataCount,
            root.Ref.ModifyTid,
            data.PfsLastSnapshotTid,
            data.ChangeTime);
    }

    private InodeChain Load(BlockRef bref)
    {
        if (bref.Type != BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where a PFS root belongs.");
        _tids.Accept(ref bref, Math.Max(_tids.MirrorTid, Volatile.Read(ref _frozenTid)));
        using BlockLease lease = _reader.GetMetadata(bref);
        InodeContent content = InodeContent.Decode(bref, lease.Data, new ManyReadersLock());
        if (content.Data.InodeNumber != FormatLimits.RootInodeNumber || content.Data.Type != ObjectType.Directory)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref}: a PFS root must be directory inode 1.");
        return new InodeChain(bref, content);
    }
}
