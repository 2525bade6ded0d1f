// The filling half of `hammer2 newfs --from DIR`: how large a new image must be for the tree, and the import into the
// first PFS. Invariants: the tree is only read; what could not be read of it is listed, everything else is in the image
// and durable; when the image itself fails, nothing of it stays. May call Copying and the engine's volumes.

using Hammer2.Cli.Copying;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

internal static partial class NewfsVerb
{
    private const long SmallestImage = 64L << 20;

    // Nothing that is written is read again but the nodes that go on being filled.
    private const long FillCacheBytes = 32L << 20;

    // Of every object: its inode, its entry, and half a block that its last block leaves unused on average.
    private const long BytesPerObject = 4096;

    private static CopySummary Fill(
        VerbContext context, string from, IReadOnlyList<IBlockDevice> devices, string label, string[] images, FailureList failures)
    {
        // Commits come with the dirty limit and at the end: until then the volume is worth nothing anyway.
        var options = new VolumeOptions { Writable = true, CommitInterval = TimeSpan.Zero, DirtyBytesMax = 96L << 20, Logger = context.Logger, CacheBytesMax = context.CacheBytes ?? FillCacheBytes };
        return ProgressDisplay.Run(
            context.Terminal,
            "copying",
            () => MeasureTree(from, context.Stop).Bytes,
            progress =>
            {
                using Hammer2Volume volume = Hammer2Volume.Open(devices, options);
                using var pfs = volume.OpenPfs(label);
                var importer = new TreeImporter(pfs, new TreeCopyOptions { KeepChangeTimes = true })
                {
                    Progress = progress,
                    ImageFiles = images,
                };
                importer.Import(from, context.Stop);
                volume.Sync();
                foreach (Failure failure in importer.Failures.ToList())
                    failures.Add(failure);
                return CopySummary.Of(label, importer.Counts);
            });
    }

    /// <summary>Bytes of an image that holds the tree whatever its compression, with room to spare.</summary>
    private static long SizeFor(string from, CancellationToken stop)
    {
        (long bytes, long objects) = MeasureTree(from, stop);
        long needed = bytes + objects * BytesPerObject;
        // A fifth more: the reserve, indirect blocks, boot and auxiliary areas, and room to work in.
        long size = SmallestImage + needed + needed / 5;
        if (size > 1L << 30)
            size += 320L << 20;
        return (size + FormatLimits.VolumeAlignment - 1) / FormatLimits.VolumeAlignment * FormatLimits.VolumeAlignment;
    }

    private static (long Bytes, long Objects) MeasureTree(string from, CancellationToken stop)
    {
        using IFileTree host = HostTrees.Of(from);
        using IFileNode root = host.OpenRoot();
        return TreeImporter.Measure(root, stop);
    }

    private static void CheckSource(string from)
    {
        if (!Directory.Exists(from))
            throw CliException.Usage($"--from {from}: there is no such directory");
    }
}
