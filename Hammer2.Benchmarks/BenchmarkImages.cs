// The golden images as temporary files, for benchmarks. HAMMER2_BENCH_IMAGE names a larger one of your own.
// Each is unpacked once and kept for the next run; nothing here is measured.

using Hammer2.Cli.Sample;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;

namespace Hammer2.Benchmarks;

/// <summary>Opens images for benchmarks.</summary>
internal static class BenchmarkImages
{
    /// <summary>Unpacks a golden image beside the benchmark and returns its path.</summary>
    internal static string Unpack(string name)
    {
        string path = Path.Combine(Path.GetTempPath(), $"hammer2-bench-{name}.img");
        if (File.Exists(path))
            return path;
        using FileStream packed = File.OpenRead(Path.Combine(Root(), "Hammer2.Tests", "Images", name + ".h2s.gz"));
        using (FileStream image = File.Create(path + ".part"))
            SparseContainer.Unpack(packed, image);
        File.Move(path + ".part", path);
        return path;
    }

    /// <summary>The largest regular file of a PFS.</summary>
    internal static Vnode OpenLargest(PfsMount pfs, long sizeMax)
    {
        ulong best = 0;
        long size = -1;
        var pending = new Stack<ulong>([PfsMount.RootInodeNumber]);
        var batch = new DirectoryBatch();
        while (pending.TryPop(out ulong inode))
        {
            _ = pfs.TryOpen(inode, out Vnode? vnode);
            using Vnode directory = vnode!;
            ulong position = 0;
            do
            {
                directory.ReadDirectory(position, batch);
                for (int i = 0; i < batch.Count; i++)
                {
                    DirectoryRecord record = batch[i];
                    if (record.Type == ObjectType.Directory)
                        pending.Push(record.InodeNumber);
                    else if (record.Type == ObjectType.File && record.Attributes.Size > size && record.Attributes.Size <= sizeMax)
                        (best, size) = (record.InodeNumber, record.Attributes.Size);
                }

                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
        }

        _ = pfs.TryOpen(best, out Vnode? found);
        return found!;
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Hammer2.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Run the benchmarks from a checkout.");
    }
}
