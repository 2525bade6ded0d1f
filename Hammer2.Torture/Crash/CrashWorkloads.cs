// The workloads: every operation alone and every pair of them, with the tree before committed or not and with a sync between
// them or not; and longer ones for what needs many steps. Names repeat a failure.

using System.Globalization;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Crash;

/// <summary>Lists of workloads.</summary>
internal static class CrashWorkloads
{
    private const string RandomName = "random ";

    private static readonly CrashSetup s_oneHeader = new("one header", 64L << 20);
    private static readonly CrashSetup s_smallBudget = new("small budget", CrashSetup.SeveralHeaders) { DirtyBytesMax = 1 << 20, CacheBytesMax = 1 << 20 };
    private static readonly CrashSetup s_twoLabels = new("two labels", CrashSetup.SeveralHeaders) { Labels = ["DATA", "ROOT"] };
    private static readonly CrashSetup s_tiny = new("32 MiB", 32L << 20);

    // Made once: prepared media are kept for each setup.
    private static readonly CrashSetup[] s_setups =
    [
        CrashSetup.Plain,
        .. ((CompressionMethod[])[CompressionMethod.None, CompressionMethod.AutoZero, CompressionMethod.Zlib])
            .Select(static method => new CrashSetup($"compression {method}", CrashSetup.SeveralHeaders) { Compression = method }),
        .. ((CheckMethod[])[CheckMethod.None, CheckMethod.Disabled, CheckMethod.Iscsi32, CheckMethod.Sha192])
            .Select(static method => new CrashSetup($"check {method}", CrashSetup.SeveralHeaders) { Check = method }),
        new("version 1", CrashSetup.SeveralHeaders) { Version = 1 },
        new("three volumes", CrashSetup.SeveralHeaders, 1L << 30, 64L << 20),
        s_smallBudget,
        new("no dedup", CrashSetup.SeveralHeaders) { LiveDedup = false },
        new("four headers", 9L << 30),
        s_oneHeader,
    ];

    /// <summary>Every operation alone: on a committed tree, and on one that the same commit writes.</summary>
    internal static IEnumerable<CrashWorkload> Single()
    {
        foreach (CrashOp op in CrashOps.All)
        {
            yield return new CrashWorkload(op.Name, CrashSetup.Plain, run =>
            {
                op.Run(run);
                run.Sync();
            })
            { Prior = CrashOps.Prior };
            yield return new CrashWorkload($"{op.Name}, nothing committed before", CrashSetup.Plain, run =>
            {
                CrashOps.Prior(run);
                op.Run(run);
                run.Sync();
            });
        }
    }

    /// <summary>The same on a volume with room for one header copy.</summary>
    internal static IEnumerable<CrashWorkload> SingleOnSmallVolume() => Single().Select(static workload => workload with { Setup = s_oneHeader });

    /// <summary>The workload that a failure calls so.</summary>
    /// <exception cref="UnknownWorkloadException">There is none.</exception>
    internal static CrashWorkload Find(string name)
    {
        if (name.StartsWith(RandomName, StringComparison.Ordinal) && int.TryParse(name.AsSpan(RandomName.Length).ToString().Split(' ')[0], CultureInfo.InvariantCulture, out int seed))
            return Random(seed);
        IEnumerable<CrashWorkload> all = Single().Concat(SingleOnSmallVolume()).Concat(CrashLargeTrees.All()).Concat(Long()).Concat(Pairs());
        return all.FirstOrDefault(workload => workload.ToString() == name) ?? all.FirstOrDefault(workload => workload.Name == name)
            ?? throw new UnknownWorkloadException($"There is no workload \"{name}\"; names are such as \"overwrite block (plain)\", \"cut; sync; append (plain)\" or \"random 4711\".");
    }

    /// <summary>Every pair, in four variants.</summary>
    internal static IEnumerable<CrashWorkload> Pairs()
    {
        foreach (CrashOp first in CrashOps.All)
        {
            foreach (CrashOp second in CrashOps.All)
            {
                yield return Pair(first, second, committed: true, between: true);
                yield return Pair(first, second, committed: true, between: false);
                yield return Pair(first, second, committed: false, between: true);
                yield return Pair(first, second, committed: false, between: false);
            }
        }
    }

    /// <summary>What needs more steps or another volume.</summary>
    internal static IEnumerable<CrashWorkload> Long()
    {
        foreach (CrashSetup setup in s_setups)
            yield return new CrashWorkload("a working day", setup, Day);
        yield return new CrashWorkload("large files", s_smallBudget, LargeFiles);
        yield return new CrashWorkload("large files", CrashSetup.Plain, LargeFiles);
        yield return new CrashWorkload("rewriting one block", CrashSetup.Plain, Rewriting);
        yield return new CrashWorkload("many files", CrashSetup.Plain, ManyFiles);
        yield return new CrashWorkload("many files come and go", CrashSetup.Plain, ComeAndGo);
        yield return new CrashWorkload("scattered blocks", CrashSetup.Plain, Scattered);
        yield return new CrashWorkload("sync of one file in the middle", CrashSetup.Plain, SyncInTheMiddle);
        yield return new CrashWorkload("a commit without changes", CrashSetup.Plain, Idle);
        yield return new CrashWorkload("many commits", CrashSetup.Plain, ManyCommits);
        yield return new CrashWorkload("two filesystems", s_twoLabels, TwoFilesystems);
        yield return new CrashWorkload("nearly full", s_tiny, NearlyFull);
        yield return new CrashWorkload("closing without a sync", CrashSetup.Plain, run => CrashOps.All[9].Run(run)) { Prior = CrashOps.Prior };
    }

    /// <summary>A random walk over the operations.</summary>
    internal static CrashWorkload Random(int seed)
    {
        var random = new Random(seed);
        CrashSetup setup = s_setups[random.Next(s_setups.Length)];
        bool committed = random.Next(2) == 0;
        var steps = new List<Action<CrashRun>>();
        int count = random.Next(3, 25);
        for (int i = 0; i < count; i++)
        {
            steps.Add(CrashOps.All[random.Next(CrashOps.All.Count)].Run);
            if (random.Next(4) == 0)
                steps.Add(static run => run.Sync());
        }

        return new CrashWorkload(string.Create(CultureInfo.InvariantCulture, $"{RandomName}{seed}"), setup, run =>
        {
            if (!committed)
                CrashOps.Prior(run);
            run.Tolerant = true;
            foreach (Action<CrashRun> step in steps)
                step(run);
        })
        { Prior = committed ? CrashOps.Prior : null };
    }

    private static CrashWorkload Pair(CrashOp first, CrashOp second, bool committed, bool between)
    {
        string name = $"{first.Name}; {(between ? "sync; " : "")}{second.Name}{(committed ? "" : ", nothing committed before")}";
        return new CrashWorkload(name, CrashSetup.Plain, run =>
        {
            if (!committed)
                CrashOps.Prior(run);
            run.Tolerant = true;
            first.Run(run);
            if (between)
                run.Sync();
            second.Run(run);
            run.Sync();
        })
        { Prior = committed ? CrashOps.Prior : null };
    }

    private static void Day(CrashRun run)
    {
        CrashOps.Prior(run);
        run.Sync();
        run.Write("/large", 1000, CrashRun.Noise(100_000, 31));
        run.Write("/text", 65536, CrashRun.Text(65536, 32));
        run.MakeDirectory("/job");
        for (int i = 0; i < 12; i++)
            run.Put($"/job/file{i}", i % 2 == 0 ? CrashRun.Noise(3000 * i, i) : CrashRun.Text(20_000 * i + 1, i));
        run.SyncFile("/job/file3");
        run.Rename("/job", "/dir/job");
        run.Unlink("/dir/job/file4");
        run.SetSize("/dir/job/file11", 77);
        run.Link("/dir/job/file5", "/fifth");
        run.Set("/dir/job", new AttributeChanges { Compression = CompressionMethod.Zlib, Check = CheckMethod.Iscsi32 });
        run.Put("/dir/job/other", CrashRun.Text(200_000, 33));
        run.Sync();
        run.Rename("/large", "/text", RenameMode.Exchange);
        run.Unlink("/small");
        run.RemoveDirectory("/empty");
        run.Append("/text", CrashRun.Noise(65536, 34));
    }

    private static void LargeFiles(CrashRun run)
    {
        for (int i = 0; i < 6; i++)
        {
            run.Put($"/file{i}", CrashRun.Noise(1_500_000, i));
            run.Write($"/file{i}", 300_000, CrashRun.Noise(400_000, i + 50));
            if (i % 3 == 2)
                run.Sync();
        }
    }

    private static void Rewriting(CrashRun run)
    {
        run.Put("/file", CrashRun.Noise(65536, 1));
        for (int i = 0; i < 8; i++)
        {
            run.Write("/file", 0, CrashRun.Noise(65536, 2 * i));
            run.Write("/file", 0, CrashRun.Noise(65536, 2 * i + 1));
            run.Sync();
        }
    }

    private static void ManyFiles(CrashRun run)
    {
        run.Watching = false;
        run.MakeDirectory("/many");
        for (int i = 0; i < 300; i++)
            run.Put($"/many/file{i}", CrashRun.Text(i * 7 % 600, i));
        run.Sync();
        for (int i = 0; i < 300; i += 3)
            run.Unlink($"/many/file{i}");
        run.Sync();
        for (int i = 1; i < 300; i += 3)
            run.Append($"/many/file{i}", CrashRun.Noise(100, i));
        run.Sync();
        for (int i = 0; i < 300; i++)
        {
            if (i % 3 != 0)
                run.Unlink($"/many/file{i}");
        }

        run.RemoveDirectory("/many");
        run.Sync();
    }

    private static void ComeAndGo(CrashRun run)
    {
        run.Watching = false;
        for (int round = 0; round < 4; round++)
        {
            for (int i = 0; i < 80; i++)
                run.Put($"/r{round}-{i}", CrashRun.Noise(i * 13, i));
            run.Sync();
            for (int i = 0; i < 80; i++)
            {
                if ((i & 7) != round)
                    run.Unlink($"/r{round}-{i}");
            }

            run.Sync();
        }
    }

    private static void Scattered(CrashRun run)
    {
        run.Watching = false;
        run.Create("/sparse");
        for (int i = 0; i < 40; i++)
            run.Write("/sparse", i * 97L * 65536, CrashRun.Noise(500, i));
        run.Sync();
        run.Punch("/sparse", 0, 20 * 97L * 65536);
        run.Sync();
        run.SetSize("/sparse", 25 * 97L * 65536);
        for (int i = 0; i < 10; i++)
            run.Write("/sparse", i * 65536L, CrashRun.Noise(65536, i));
        run.Sync();
        run.SetSize("/sparse", 0);
        run.Sync();
    }

    private static void SyncInTheMiddle(CrashRun run)
    {
        run.Create("/a");
        run.Put("/b", CrashRun.Noise(100_000, 1));
        run.SyncFile("/a");
        run.Write("/a", 0, CrashRun.Noise(100_000, 2));
        run.Rename("/b", "/c");
        run.SyncFile("/a");
        run.Rename("/a", "/c");
        run.SyncFile("/c");
    }

    private static void Idle(CrashRun run)
    {
        run.Sync();
        run.Create("/a");
        run.Sync();
        run.Sync();
        run.Unlink("/a");
        run.Create("/a");
        run.Sync();
    }

    private static void ManyCommits(CrashRun run)
    {
        run.Create("/log");
        for (int i = 0; i < 24; i++)
        {
            run.Append("/log", CrashRun.Text(3000, i));
            run.Sync();
        }
    }

    private static void TwoFilesystems(CrashRun run)
    {
        run.Put("DATA:/a", CrashRun.Noise(100_000, 1));
        run.Put("ROOT:/a", CrashRun.Noise(100_000, 1));
        run.Sync();
        run.Write("ROOT:/a", 5, CrashRun.Text(100, 1));
        run.MakeDirectory("DATA:/d");
        run.Sync();
        run.Unlink("DATA:/a");
        run.Sync();
        run.Unlink("ROOT:/a");
        run.Sync();
    }

    private static void NearlyFull(CrashRun run)
    {
        // The engine commits by itself here, when it looks for space: every step counts.
        run.Tolerant = true;
        for (int i = 0; ; i++)
        {
            if (run.Create($"/f{i}") != Hammer2Error.None || run.Write($"/f{i}", 0, CrashRun.Noise(400_000, i)) != Hammer2Error.None)
                break;
        }

        run.Sync();
        for (int i = 0; i < 6; i++)
        {
            run.Unlink($"/f{i}");
            run.Put($"/small{i}", CrashRun.Text(40, i));
            run.Set($"/f{i + 10}", new AttributeChanges { Mode = 0x100 });
            run.SetSize($"/f{i + 20}", 1000);
            run.Sync();
        }
    }
}
