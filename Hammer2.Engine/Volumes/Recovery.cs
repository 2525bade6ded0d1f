// Recovery of a volume whose freemap is older than its topology (format page 10.6): everything that the topology got
// since the freemap was written is marked as allocated before anything is allocated. Flat, with an explicit work list;
// references of an older mirror TID are pruned, since nothing below them is newer. Bounded on hostile trees.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Volumes;

/// <summary>Brings a lagging freemap up to date.</summary>
internal static class Recovery
{
    /// <summary>Marks what the freemap may not know.</summary>
    /// <exception cref="Hammer2Exception">A new part of the topology cannot be read: then nothing may be allocated.</exception>
    internal static void Run(BlockReader reader, VolumeHeader header, FreemapAllocator freemap, ILogger logger)
    {
        if (header.FreemapTid >= header.MirrorTid)
            return;
        ulong since = header.FreemapTid;
        var work = new Stack<BlockRef>();
        var seen = new HashSet<ulong>();
        Push(header.SuperRoot, since, work);
        long marked = 0;
        while (work.TryPop(out BlockRef bref))
        {
            if (!bref.Physical.HasData)
                continue;
            reader.CheckAddress(bref);
            freemap.MarkUsed(bref);
            marked++;
            if (bref.Type is not (BlockRefType.Inode or BlockRefType.Indirect) || !seen.Add(bref.DataOff))
                continue;
            using BlockLease lease = reader.GetMetadata(bref);
            if (bref.Type == BlockRefType.Indirect)
            {
                Push(MemoryMarshal.Cast<byte, BlockRef>(lease.Data), since, work);
            }
            else if (!MemoryMarshal.AsRef<InodeData>(lease.Data).IsDirectData)
            {
                Push(MemoryMarshal.Cast<byte, BlockRef>(lease.Data.Slice(InodeData.UnionOffset, FormatLimits.BlockSetBytes)), since, work);
            }
        }

        logger.LogInformation(
            "The freemap lagged behind (0x{Freemap:x} of 0x{Mirror:x}): {Count} newer blocks were marked.", since, header.MirrorTid, marked);
    }

    private static void Push(ReadOnlySpan<BlockRef> refs, ulong since, Stack<BlockRef> work)
    {
        foreach (ref readonly BlockRef bref in refs)
        {
            if (bref.Type != BlockRefType.Empty && bref.MirrorTid > since)
                work.Push(bref);
        }
    }
}
