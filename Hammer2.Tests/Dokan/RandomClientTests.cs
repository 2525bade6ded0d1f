// Random programs over one volume against a model with NTFS rules (R07). Every program rules a directory of its own, where
// each answer is known beforehand; all of them share the volume, its locks and its commits. At the end of a round the drive,
// the medium through the engine and the strict check must agree with the model. The seed replays a run.
// HAMMER2_FUZZ_OPERATIONS or HAMMER2_FUZZ_SECONDS make it longer.

using DokanNet;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class RandomClientTests
{
    /// <summary>Steps between two looks at the clock.</summary>
    private const int StepsAtOnce = 64;

    /// <summary>Steps after which everything is compared and mounted anew.</summary>
    private const long StepsOfRound = 400_000;

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(4, 1)]
    [DataRow(1, 4)]
    [DataRow(8, 8)]
    [DataRow(0, 2)]
    public void R07_R09_R14_RandomProgramsDoAsTheModelSays(int threads, int workers)
    {
        int seed = HammerSeed.Get();
        const int Rows = 5;
        var budget = new RunBudget(usualSeconds: 1.5, share: Rows);
        DokanVolume? opened = null;
        RandomClient[] all = [];
        try
        {
            DokanVolume v = opened = DokanVolume.New(
                threads, seed, volume: DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(150) }, keepsNotifications: false);
            all = [.. Enumerable.Range(0, workers).Select(i => new RandomClient(v, $@"\home{i}", seed + i))];
            foreach (RandomClient client in all)
                v.MakeDirectory(client.Home);
            do
            {
                budget.NextRound();
                long each = Math.Min(StepsOfRound, budget.Operations / 2) / workers;
                Task[] running = [.. all.Select(client => Task.Factory.StartNew(() => Work(client, budget, each), TaskCreationOptions.LongRunning))];
                Task.WaitAll(running);
                Judge(v, all);
            }
            while (!budget.IsOver(all.Sum(client => client.Steps)));
            v.Dispose();
            ShowOnLinux(v, all);
            Console.WriteLine($"{all.Sum(client => client.Steps)} steps of {workers} programs in {budget.Elapsed.TotalSeconds:F0} s, {all.Sum(client => client.Refused)} refused");
        }
        catch (Exception failed) when (failed is AssertFailedException or AggregateException)
        {
            opened?.GiveUp();
            opened?.Dispose();
            string why = failed is AggregateException many ? string.Join("; ", many.Flatten().InnerExceptions.Select(e => e.Message)) : failed.Message;
            throw new AssertFailedException($"seed {seed} after {all.Sum(client => client.Steps)} steps: {why}", failed);
        }
    }

    /// <summary>The end of a run: another system has the medium mounted. Where that cannot be, LinuxMountTests says so.</summary>
    private static void ShowOnLinux(DokanVolume v, RandomClient[] all)
    {
        if (!LinuxView.IsPossible)
            return;
        LinuxView.Run(v.Media, DokanVolume.FreshLabel, target =>
        {
            foreach (RandomClient client in all)
                ModelComparison.OnSystem(target + client.Home.Replace('\\', '/'), client.Model);
        });
    }

    private static void Work(RandomClient client, RunBudget budget, long steps)
    {
        long end = client.Steps + steps;
        while (client.Steps < end && !budget.IsRoundOver)
        {
            for (int i = 0; i < StepsAtOnce; i++)
                client.Step();
        }

        client.CloseAll();
    }

    /// <summary>The drive, then the medium (unmounted, checked strictly, read through the engine), then the drive mounted anew.</summary>
    private static void Judge(DokanVolume v, RandomClient[] all)
    {
        foreach (RandomClient client in all)
            ModelComparison.OnDrive(v, client.Home, client.Model);
        v.Remount();
        foreach (RandomClient client in all)
        {
            ModelComparison.InEngine(v.Pfs, client.Home, client.Model);
            ModelComparison.OnDrive(v, client.Home, client.Model);
        }
    }

    [TestMethod]
    [DataRow(4, false)]
    [DataRow(0, false)]
    [DataRow(0, true)]
    public void R07_M20_ProgramsThatShareADirectoryLoseNothing(int threads, bool replaces)
    {
        int seed = HammerSeed.Get();
        const int Rows = 3;
        const int Workers = 3;
        var budget = new RunBudget(usualSeconds: 1.5, share: Rows);
        long steps = 0;
        do
        {
            budget.NextRound();
            steps += Share(threads, unchecked(seed + (int)steps), replaces, Workers, budget, Math.Min(StepsOfRound, budget.Operations / 2));
        }
        while (!budget.IsOver(steps));
        Console.WriteLine($"{steps} steps of {Workers} programs in {budget.Elapsed.TotalSeconds:F0} s");
    }

    /// <summary>One round on a fresh volume.</summary>
    private static long Share(int threads, int seed, bool replaces, int workers, RunBudget budget, long steps, Func<IDokanOperations2, IDokanOperations2>? wrap = null)
    {
        DokanVolume v = DokanVolume.New(
            threads, seed, wrap: wrap, volume: DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(150) }, keepsNotifications: false);
        try
        {
            var shared = new SharedDirectory(v, @"\shared");
            SharedDirectory.Client[] all = [.. Enumerable.Range(0, workers).Select(i => new SharedDirectory.Client(shared, seed + i, replaces))];
            Task.WaitAll([.. all.Select(client => Task.Factory.StartNew(
                () =>
                {
                    while (client.Steps < steps / workers && !budget.IsRoundOver)
                        client.Step();
                    client.CloseAll();
                },
                TaskCreationOptions.LongRunning))]);
            v.Twice(shared.Judge);
            return all.Sum(client => client.Steps);
        }
        catch (Exception failed) when (failed is AssertFailedException or AggregateException)
        {
            v.GiveUp();
            string why = failed is AggregateException many ? string.Join("; ", many.Flatten().InnerExceptions.Select(e => e.Message)) : failed.Message;
            throw new AssertFailedException($"seed {seed}: {why}", failed);
        }
        finally
        {
            v.Dispose();
        }
    }

    /// <summary>Overlooks one deletion in five.</summary>
    private sealed class OverlookingOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        private int _deletions;

        public override void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
        {
            if (info.DeletePending && Interlocked.Increment(ref _deletions) % 5 == 0)
                System.Runtime.CompilerServices.Unsafe.As<DokanFileInfo, RawFileInfo>(ref info).DeletePending = 0;
            base.Cleanup(fileNamePtr, ref info);
        }
    }

    [TestMethod]
    [DataRow("replaces", "are lost")]
    [DataRow("overlooks", "was deleted and is there")]
    public void AWrongAdapterIsNoticedInASharedDirectory(string how, string noticed)
    {
        var budget = new RunBudget(usualSeconds: 10, share: 1);
        budget.NextRound();
        AssertFailedException failed = Assert.ThrowsExactly<AssertFailedException>(() => Share(
            0, HammerSeed.Get(), replaces: false, workers: 2, budget, 20_000,
            inner => how == "replaces" ? new ReplacingOperations(inner) : new OverlookingOperations(inner)));
        Assert.Contains(noticed, failed.Message);
    }

    /// <summary>Moves over whatever is there.</summary>
    private sealed class ReplacingOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus MoveFile(
            ReadOnlyNativeMemory<char> oldNamePtr, ReadOnlyNativeMemory<char> newNamePtr, bool replace, ref DokanFileInfo info) =>
            base.MoveFile(oldNamePtr, newNamePtr, replace: true, ref info);
    }

    /// <summary>Forgets the last byte of every paging write.</summary>
    private sealed class ForgetfulOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus WriteFile(
            ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<byte> buffer, out int bytesWritten, long offset, ref DokanFileInfo info)
        {
            if (!info.PagingIo || buffer.Length < 2)
                return base.WriteFile(fileNamePtr, buffer, out bytesWritten, offset, ref info);
            var shorter = new ReadOnlyNativeMemory<byte>(buffer.Address, buffer.Length - 1);
            NtStatus status = base.WriteFile(fileNamePtr, shorter, out bytesWritten, offset, ref info);
            bytesWritten += bytesWritten == shorter.Length ? 1 : 0;
            return status;
        }
    }

    /// <summary>Sets another time of the last write.</summary>
    private sealed class TimelessOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus SetFileTime(
            ReadOnlyNativeMemory<char> fileNamePtr, DateTime? creationTime, DateTime? lastAccessTime, DateTime? lastWriteTime, ref DokanFileInfo info) =>
            base.SetFileTime(fileNamePtr, creationTime, lastAccessTime, lastWriteTime?.AddSeconds(1), ref info);
    }

    [TestMethod]
    [DataRow("replaces", "Move")]
    [DataRow("forgets", "Read")]
    [DataRow("is late", "Look")]
    public void AWrongAdapterIsNoticed(string how, string noticed)
    {
        int seed = HammerSeed.Get();
        using DokanVolume v = DokanVolume.New(wrap: inner => how switch
        {
            "replaces" => new ReplacingOperations(inner),
            "forgets" => new ForgetfulOperations(inner),
            _ => new TimelessOperations(inner),
        });
        v.GiveUp();
        v.MakeDirectory(@"\home");
        var client = new RandomClient(v, @"\home", seed);
        string caught = "";
        while (caught.Length == 0 && client.Steps < 200_000)
        {
            try
            {
                client.Step();
            }
            catch (AssertFailedException found)
            {
                caught = found.Message;
            }
        }

        Assert.Contains(how == "forgets" && caught.Contains("paging", StringComparison.Ordinal) ? "the count of bytes" : noticed, caught, $"seed {seed}");
    }

    [TestMethod]
    public void ADifferenceOfTheMediumIsNoticed()
    {
        using DokanVolume v = DokanVolume.New();
        v.GiveUp();
        v.MakeDirectory(@"\home");
        v.Put(@"\home\a", [1, 2, 3]);
        var model = new NtfsModel();
        Assert.AreEqual(NtStatus.Success, model.Open(@"\A", CreateDisposition.Create, AllWrite, ShareNone, false, false, 0, out ModelHandle? made));
        made!.Node.Data.Write(0, [1, 2, 4]);
        Assert.Contains("'a'", Caught(() => ModelComparison.InEngine(v.Pfs, @"\home", model)));
        made.Node.Name = "a";
        Assert.Contains("bytes", Caught(() => ModelComparison.InEngine(v.Pfs, @"\home", model)));
        Assert.Contains("bytes", Caught(() => ModelComparison.OnDrive(v, @"\home", model)));
        made.Node.Data.Write(0, [1, 2, 3]);
        ModelComparison.InEngine(v.Pfs, @"\home", model);
        ModelComparison.OnDrive(v, @"\home", model);
        made.Node.Attributes = FileAttributes.Hidden;
        Assert.Contains("attributes", Caught(() => ModelComparison.InEngine(v.Pfs, @"\home", model)));
        Assert.Contains("attributes", Caught(() => ModelComparison.OnDrive(v, @"\home", model)));
    }

    private static string Caught(Action comparison)
    {
        try
        {
            comparison();
        }
        catch (AssertFailedException difference)
        {
            return difference.Message;
        }

        return "";
    }
}
