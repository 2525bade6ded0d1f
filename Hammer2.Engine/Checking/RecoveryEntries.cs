// Walks the trees of objects that a raw scan found: the entries of a directory, the blocks of a file. Invariants: an array is
// followed only when its check code matches, and counts only inside the range that its parent has with fewer key bits, so that
// no crafted tree makes a walk endless; nothing recurses.

using System.Buffers;
using System.Runtime.InteropServices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>A leaf of a tree, or a range that could not be followed.</summary>
/// <param name="Ref">DIRENT or DATA; INDIRECT when its array is lost.</param>
internal readonly record struct FoundLeaf(BlockRef Ref)
{
    internal bool IsLost => Ref.Type == BlockRefType.Indirect;
}

/// <summary>Trees of found objects.</summary>
internal static class RecoveryEntries
{
    /// <summary>The leaves below the blockset of an inode, in the order of their keys as far as the arrays are in order.</summary>
    /// <param name="space">The medium.</param>
    /// <param name="inode">The inode's block.</param>
    /// <param name="leaf">DIRENT or DATA.</param>
    /// <param name="seen">Arrays to pass over because they were walked before, and those walked now; null to walk all.</param>
    /// <param name="stop">Ends the walk.</param>
    internal static IEnumerable<FoundLeaf> Walk(RecoverySpace space, byte[] inode, BlockRefType leaf, HashSet<SeenRef>? seen, CancellationToken stop)
    {
        if (MemoryMarshal.AsRef<InodeData>(inode.AsSpan()).IsDirectData)
            yield break;
        var todo = new Stack<BlockRef>();
        Push(todo, inode.AsSpan(InodeData.UnionOffset, FormatLimits.BlockSetBytes), leaf, default, isTop: true);
        byte[] block = ArrayPool<byte>.Shared.Rent(FormatLimits.BlockBytesMax);
        try
        {
            while (todo.TryPop(out BlockRef next))
            {
                stop.ThrowIfCancellationRequested();
                if (next.Type == leaf)
                {
                    yield return new FoundLeaf(next);
                    continue;
                }

                if (seen?.Add(SeenRef.Of(next)) == false)
                    continue;
                if (next.Physical.Radix is 12 or 14 or 16 && space.TryRead(next, block))
                    Push(todo, block.AsSpan(0, next.Physical.Bytes), leaf, next, isTop: false);
                else
                    yield return new FoundLeaf(next);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    /// <summary>The name of a directory entry.</summary>
    /// <param name="space">The medium.</param>
    /// <param name="bref">The entry.</param>
    /// <param name="stored">1 KiB to put it into.</param>
    /// <param name="name">Part of it.</param>
    internal static bool TryName(RecoverySpace space, in BlockRef bref, Span<byte> stored, out ReadOnlySpan<byte> name)
    {
        int length = bref.DirentNameLength;
        name = default;
        if (length is 0 or > FormatLimits.NameBytesMax || bref.KeyBits != 0)
            return false;
        if (length <= FormatLimits.InlineNameBytesMax)
        {
            if (bref.DataOff != 0)
                return false;
            BlockRef.CheckBytes(bref)[..length].CopyTo(stored);
        }
        else if (bref.Physical.Radix != FormatLimits.AllocationRadixMin || !space.TryRead(bref, stored))
        {
            return false;
        }

        name = stored[..length];
        ulong hash = DirectoryHash.Compute(name);
        return (hash & ~FormatLimits.CollisionMask) == (bref.Key & ~FormatLimits.CollisionMask);
    }

    private static void Push(Stack<BlockRef> todo, ReadOnlySpan<byte> array, BlockRefType leaf, in BlockRef parent, bool isTop)
    {
        // Backwards, so that they come off the stack forwards.
        ReadOnlySpan<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(array);
        for (int i = refs.Length - 1; i >= 0; i--)
        {
            ref readonly BlockRef bref = ref refs[i];
            bool inside = isTop || bref.Key >= parent.Key && bref.LastKey <= parent.LastKey;
            bool node = bref.Type == BlockRefType.Indirect && (isTop ? bref.KeyBits < 64 : bref.KeyBits < parent.KeyBits) && BlockRefRules.IsAligned(bref);
            if (inside && (node || bref.Type == leaf))
                todo.Push(bref);
        }
    }
}
