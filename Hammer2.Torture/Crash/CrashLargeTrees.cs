// Operations on trees of several levels, each on a volume that was just opened: their blocks have to be read first, one after the other,
// and each of these reads can fail. An operation that reads between two of its changes leaves half of itself behind.

using Hammer2.Engine.Pfs;

namespace Hammer2.Torture.Crash;

/// <summary>Large directories and a file with many blocks.</summary>
internal static class CrashLargeTrees
{
    private const int Names = 400;
    private const int Blocks = 300;
    private const long Stride = 2 * 65536;

    // Where the ranges of two of the file's indirect blocks meet.
    private const long Border = 8L << 20;

    // The smallest cache there is: what was read for one step of an operation may be gone in the next.
    private static readonly CrashSetup s_setup = new("large trees", CrashSetup.SeveralHeaders) { CacheBytesMax = 1 };

    private static readonly CrashOp[] s_ops =
    [
        new("punch over many blocks", r => r.Punch("/tree", 1000, 30_000_000)),
        new("punch to the end", r => r.Punch("/tree", Border - 100, long.MaxValue / 2)),
        new("cut in the middle", r => r.SetSize("/tree", 10_000_100)),
        new("cut at a border", r => r.SetSize("/tree", Border)),
        new("write over a border", r => r.Write("/tree", Border - 70_000, CrashRun.Noise(270_000, 41))),
        new("replace whole blocks at a border", r => r.Write("/tree", Border - Stride, CrashRun.Noise((int)(2 * Stride), 42))),
        new("zeros over a border", r => r.Write("/tree", Border - Stride - 5, new byte[3 * Stride])),
        new("append to many blocks", r => r.Append("/tree", CrashRun.Noise(200_000, 43))),
        new("extend many blocks", r => r.SetSize("/tree", 80_000_000)),
        new("unlink many blocks", r => r.Unlink("/tree")),
        new("create among many", r => r.Create("/many/new")),
        new("link among many", r => r.Link("/tree", "/many/tree")),
        new("unlink one of many", r => r.Unlink("/many/file77")),
        new("rename among many", r => r.Rename("/many/file77", "/many/renamed")),
        new("rename over one of many", r => r.Rename("/many/file77", "/many/file333")),
        new("move from many to many", r => r.Rename("/many/file77", "/more/moved")),
        new("move over one of many", r => r.Rename("/many/file77", "/more/file5")),
        new("exchange among many", r => r.Rename("/many/file77", "/many/file333", RenameMode.Exchange)),
        new("exchange many with many", r => r.Rename("/many/file77", "/more/file5", RenameMode.Exchange)),
        new("exchange directories of many", r => r.Rename("/many", "/more", RenameMode.Exchange)),
    ];

    /// <summary>Every one of them.</summary>
    internal static IEnumerable<CrashWorkload> All() => s_ops.Select(static op => new CrashWorkload(op.Name, s_setup, run =>
    {
        op.Run(run);
        run.Sync();
    })
    { Prior = Prior });

    private static void Prior(CrashRun run)
    {
        run.Watching = false;
        foreach (string directory in (string[])["/many", "/more"])
        {
            run.MakeDirectory(directory);
            for (int i = 0; i < Names; i++)
                run.Put($"{directory}/file{i}", CrashRun.Text(20, i));
        }

        run.Create("/tree");
        for (int i = 0; i < Blocks; i++)
            run.Write("/tree", i * Stride + i, CrashRun.Noise(300, i));
    }
}
