// Power cuts below programs of the Windows drive: the device is recorded while they work, then cut after every write, with
// unflushed writes lost or torn. Each state must be clean for the strict check, and hold what the programs were promised by
// FlushFileBuffers or write-through; of one program alone the whole tree must be one of those between promise and cut.
// HAMMER2_FUZZ_SECONDS goes on with more seeds. Calls the crash states of hammer2-torture.

using System.Buffers.Binary;
using System.Globalization;
using DokanNet;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;
using LTRData.Extensions.Native.Memory;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class CrashedClientTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;
    private const int StatesMax = 150;
    private const int PageBytes = 4096;

    /// <summary>A medium, what was done to it, and what it held before.</summary>
    private sealed record Recorded(MemoryBlockDevice Before, DeviceRecord Record)
    {
        internal static Recorded Of(
            Action<DokanVolume> before, Action<DokanVolume, DeviceRecord> script, int threads = 0, VolumeOptions? options = null,
            Func<IDokanOperations2, IDokanOperations2>? wrap = null)
        {
            MemoryBlockDevice memory = DokanVolume.Fresh(DokanVolume.SmallBytes);
            using (DokanVolume v = DokanVolume.OnDevice(memory, threads))
                before(v);
            var record = new DeviceRecord();
            using (DokanVolume v = DokanVolume.OnDevice(new RecordingDevice(memory.Clone(), record), threads, volume: options, wrap: wrap))
                script(v, record);
            return new Recorded(memory, record);
        }

        /// <summary>The states, or a sample of them that has the end in it.</summary>
        internal IEnumerable<CrashState> States(int seed)
        {
            CrashState[] all = [.. new CrashStates([Before], Record, seed).All()];
            Assert.IsGreaterThan(10, all.Length, "the script must have written something");
            var random = new Random(seed);
            return all.Where(state => all.Length <= StatesMax || state.Description == "cut at the end" || random.Next(all.Length) < StatesMax);
        }

        internal void Judge(int seed, Action<PfsMount, IReadOnlyList<string>> judge)
        {
            foreach (CrashState state in States(seed))
            {
                CheckReport report = VolumeChecker.Check(state.Open(), new CheckOptions { Workers = 1 });
                if (!report.IsClean)
                    throw new AssertFailedException($"seed {seed}, {state}: {report}");
                using Hammer2Volume volume = Hammer2Volume.Open(state.Open(), DokanVolume.WritingOptions with { Writable = false });
                using PfsMount pfs = volume.OpenPfs(DokanVolume.FreshLabel);
                try
                {
                    judge(pfs, state.Markers);
                }
                catch (AssertFailedException failed)
                {
                    throw new AssertFailedException($"seed {seed}, {state}: {failed.Message}", failed);
                }
            }
        }
    }

    private static byte[]? Content(PfsMount pfs, string path)
    {
        if (pfs.TryResolve(path, out Vnode? vnode) != Hammer2Error.None)
            return null;
        using Vnode open = vnode!;
        var bytes = new byte[open.GetAttributes().Size];
        Assert.AreEqual(bytes.Length, open.Read(0, bytes));
        return bytes;
    }

    private static int LastOf(IReadOnlyList<string> markers, string kind)
    {
        string? last = markers.LastOrDefault(mark => mark.StartsWith(kind, StringComparison.Ordinal));
        return last is null ? 0 : int.Parse(last.AsSpan(kind.Length), CultureInfo.InvariantCulture);
    }

    /// <summary>One version of a document: its number, then bytes that follow from it.</summary>
    private static byte[] Version(int number)
    {
        byte[] bytes = DokanVolume.Noise(9000 + (number * 1234), number);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        return bytes;
    }

    private static int NumberOf(byte[]? content, string path)
    {
        if (content is null)
            return 0;
        int number = content.Length < 4 ? 0 : BinaryPrimitives.ReadInt32LittleEndian(content);
        Assert.IsTrue(number > 0 && content.AsSpan().SequenceEqual(Version(number)), $"{path} is no whole version");
        return number;
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(5)]
    public void B12_M16_W13_SavingByReplacingSurvivesEveryCut(int commitMilliseconds)
    {
        int seed = HammerSeed.Get();
        VolumeOptions options = DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(commitMilliseconds) };
        Recorded.Of(
            v => v.Put(@"\doc.docx", Version(1)),
            (v, record) =>
            {
                for (int number = 2; number < 7; number++)
                    Save(v, number, record);
            },
            options: options).Judge(seed, (pfs, markers) =>
            {
                // What is flushed under a new name promises that the save before it is complete.
                int promised = Math.Max(1, LastOf(markers, "saved ") - 1);
                int document = NumberOf(Content(pfs, "/doc.docx"), "the document");
                int backup = NumberOf(Content(pfs, "/~WRL.tmp"), "the backup");
                Assert.IsTrue(document >= promised || (document == 0 && backup >= promised), $"version {document}, backup {backup}, promised {promised}");
            });
    }

    private static void Save(DokanVolume v, int number, DeviceRecord record)
    {
        SimulatedHandle temporary = v.Ok(@"\~WRD.tmp", Create, Both | CanDelete);
        v.W(temporary, 0, Version(number));
        Assert.AreEqual(NtStatus.Success, v.Driver.Flush(temporary));
        record.Mark($"saved {number}");
        v.Close(temporary);
        Assert.AreEqual(0, v.Client.ReplaceFile(@"\doc.docx", @"\~WRD.tmp", @"\~WRL.tmp"));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\~WRL.tmp"));
    }

    private static byte[] DatabasePage(int transaction, int page)
    {
        byte[] bytes = DokanVolume.Noise(PageBytes, (transaction * 100) + page);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, transaction);
        return bytes;
    }

    [TestMethod]
    public void B18_W13_ADatabaseRecoversWhateverTheCut()
    {
        const int Pages = 6;
        int seed = HammerSeed.Get();
        Recorded.Of(
            v => v.Put(@"\t.db", [.. Enumerable.Range(0, Pages).SelectMany(page => DatabasePage(1, page))]),
            (v, record) =>
            {
                var random = new Random(seed);
                SimulatedHandle database = v.Ok(@"\t.db", Open, Both, ShareReadWrite);
                for (int transaction = 2; transaction < 8; transaction++)
                {
                    SimulatedHandle journal = v.Ok(@"\t.db-journal", OpenIf, Both | CanDelete, ShareReadWrite);
                    v.W(journal, 0, [.. Enumerable.Range(0, Pages).SelectMany(page => DatabasePage(transaction - 1, page))]);
                    Assert.AreEqual(NtStatus.Success, v.Driver.Flush(journal));
                    record.Mark($"journal {transaction}");
                    foreach (int page in Enumerable.Range(0, Pages).OrderBy(_ => random.Next()))
                        v.W(database, page * PageBytes, DatabasePage(transaction, page));
                    Assert.AreEqual(NtStatus.Success, v.Driver.Flush(database));
                    record.Mark($"database {transaction}");
                    Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(journal, delete: true));
                    v.Close(journal);
                }

                v.Close(database);
            },
            options: DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(3) }).Judge(seed, (pfs, markers) =>
            {
                byte[] database = Content(pfs, "/t.db")!;
                byte[]? journal = Content(pfs, "/t.db-journal");
                byte[] recovered = journal?.Length == database.Length && IsOneTransaction(journal, Pages) ? journal : database;
                Assert.IsTrue(IsOneTransaction(recovered, Pages), "pages of several transactions, and no journal that undoes them");
                int found = BinaryPrimitives.ReadInt32LittleEndian(recovered);
                Assert.IsGreaterThanOrEqualTo(Math.Max(LastOf(markers, "database "), LastOf(markers, "journal ")) - 1, found);
            });
    }

    private static bool IsOneTransaction(byte[] bytes, int pages)
    {
        int transaction = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        return Enumerable.Range(0, pages).All(page => bytes.AsSpan(page * PageBytes, PageBytes).SequenceEqual(DatabasePage(transaction, page)));
    }

    [TestMethod]
    public void B14_B04_CopiesAreWholeOnceTheyArePromised()
    {
        int seed = HammerSeed.Get();
        DateTime time = new(2011, 5, 6, 7, 8, 9, DateTimeKind.Utc);
        const int Files = 8;
        Recorded.Of(
            v =>
            {
                v.MakeDirectory(@"\from", @"\to");
                for (int i = 1; i <= Files; i++)
                {
                    v.Put($@"\from\{i}", Version(i));
                    SimulatedHandle file = v.Ok($@"\from\{i}", Open, CanWriteAttributes);
                    Assert.AreEqual(0, v.Client.SetFileTime(file, null, null, time.AddDays(i)));
                    v.Close(file);
                }
            },
            (v, record) =>
            {
                for (int i = 1; i <= Files; i++)
                {
                    Assert.AreEqual(0, v.Client.CopyFile($@"\from\{i}", $@"\to\{i}"));
                    if (i % 3 != 0)
                        continue;
                    SimulatedHandle file = v.Ok($@"\to\{i}", Open, AllWrite);
                    Assert.AreEqual(NtStatus.Success, v.Driver.Flush(file));
                    record.Mark($"copied {i}");
                    v.Close(file);
                }
            }).Judge(seed, (pfs, markers) =>
            {
                for (int i = 1; i <= Files; i++)
                {
                    Assert.AreEqual(i, NumberOf(Content(pfs, $"/from/{i}"), "the source"));
                    if (i > LastOf(markers, "copied "))
                        continue;
                    Assert.AreEqual(i, NumberOf(Content(pfs, $"/to/{i}"), "the copy"));
                    Assert.AreEqual(Hammer2Error.None, pfs.TryResolve($"/to/{i}", out Vnode? copy));
                    using (copy)
                        Assert.AreEqual((time.AddDays(i) - DateTime.UnixEpoch).Ticks / 10, (long)copy!.GetAttributes().ModifyTimeUs);
                }
            });
    }

    [TestMethod]
    public void W13_W21_WhatManyFlushedAtOnceIsThere()
    {
        int seed = HammerSeed.Get();
        Flushers(3).Judge(seed, JudgeFlushers);
    }

    [TestMethod]
    public void AFlushThatOnlySaysSoIsNoticed()
    {
        AssertFailedException noticed = Assert.ThrowsExactly<AssertFailedException>(
            () => Flushers(3, static inner => new EmptyFlushes(inner)).Judge(1, JudgeFlushers));
        Assert.Contains("promised", noticed.Message);
    }

    /// <summary>Says that everything is on the medium.</summary>
    private sealed class EmptyFlushes(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus FlushFileBuffers(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) => NtStatus.Success;
    }

    /// <summary>Programs that flush side by side: a new file each time, and one that is replaced by it.</summary>
    private static Recorded Flushers(int count, Func<IDokanOperations2, IDokanOperations2>? wrap = null) => Recorded.Of(
        static _ => { },
        (v, record) =>
        {
            Task.WaitAll([.. Enumerable.Range(0, count).Select(worker => Task.Factory.StartNew(
                () =>
                {
                    v.MakeDirectory($@"\{worker}");
                    for (int number = 1; number < 8; number++)
                    {
                        SimulatedHandle file = v.Ok($@"\{worker}\{number}", Create, Both, options: number % 3 == 0 ? FileOptions.WriteThrough : FileOptions.None);
                        v.W(file, 0, Version(number));
                        if (number % 3 != 0)
                            Assert.AreEqual(NtStatus.Success, v.Driver.Flush(file));
                        record.Mark($"flushed {worker} {number}");
                        v.Close(file);
                        Assert.AreEqual(0, v.Client.WriteAll($@"\{worker}\new", Version(number)));
                        Assert.AreEqual(0, v.Client.MoveFileEx($@"\{worker}\new", $@"\{worker}\current", replace: true));
                    }
                },
                TaskCreationOptions.LongRunning))]);
        },
        options: DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(20) }, wrap: wrap);

    private static void JudgeFlushers(PfsMount pfs, IReadOnlyList<string> markers)
    {
        foreach (string[] words in markers.Select(mark => mark.Split(' ')))
        {
            int number = int.Parse(words[2], CultureInfo.InvariantCulture);
            Assert.AreEqual(number, NumberOf(Content(pfs, $"/{words[1]}/{number}"), "the file"), $"promised: {words[1]}, {number}");
            int current = NumberOf(Content(pfs, $"/{words[1]}/current"), "the replaced file");
            Assert.IsGreaterThanOrEqualTo(number - 1, current, $"promised: {number - 1}");
        }
    }

    [TestMethod]
    public void R07_W13_TheTreeOfRandomProgramsIsOneBetweenPromiseAndCut()
    {
        int seed = HammerSeed.Get();
        var budget = new RunBudget(usualSeconds: 2, share: 1);
        int rounds = 0;
        long states = 0;
        do
        {
            states += CutRandomPrograms(unchecked(seed + rounds));
            rounds++;
        }
        while (!budget.IsOver(0));
        Console.WriteLine($"{rounds} recordings, {states} states");
    }

    private static int CutRandomPrograms(int seed)
    {
        const int Steps = 160;
        CrashSetup setup = CrashSetup.Plain;
        MemoryBlockDevice before = setup.Format()[0];
        var record = new DeviceRecord();
        List<TreeSnapshot> history = [];
        using (DokanVolume v = DokanVolume.OnDevice(new RecordingDevice(before.Clone(), record), threads: 0))
        {
            var random = new Random(seed);
            v.MakeDirectory(@"\0", @"\1");
            history.Add(TreeSnapshot.Of(v.Volume));
            v.Volume.Sync();
            record.Mark(CrashRun.PromiseMark + "0");
            RandomClient[] clients = [new(v, @"\0", seed) { FlushesOften = true }, new(v, @"\1", seed + 1) { FlushesOften = true }];
            for (int i = 0; i < Steps; i++)
                Recordable(v, record, history, clients[random.Next(2)].Step);
            foreach (RandomClient client in clients)
            {
                while (client.CloseNext is { } close)
                    Recordable(v, record, history, close);
            }

            v.Volume.Sync();
            record.Mark(CrashRun.PromiseMark + (history.Count - 1).ToString(CultureInfo.InvariantCulture));
        }

        var judge = new CrashJudge(setup, history);
        int judged = 0;
        foreach (CrashState state in new Recorded(before, record).States(seed).Where(state => state.Markers.Count > 0))
        {
            if (judge.Judge(state, withWriting: judged++ % 8 == 0) is { } problem)
                throw new AssertFailedException($"seed {seed}: {problem}");
        }

        return judged;
    }

    /// <summary>One step: its beginning is marked, the tree after it is kept, and a commit in it is a promise.</summary>
    private static void Recordable(DokanVolume v, DeviceRecord record, List<TreeSnapshot> history, Action step)
    {
        record.Mark(CrashRun.BeginMark + history.Count.ToString(CultureInfo.InvariantCulture));
        long commits = v.Volume.Commits;
        step();
        history.Add(TreeSnapshot.Of(v.Volume));
        if (v.Volume.Commits > commits)
            record.Mark(CrashRun.PromiseMark + (history.Count - 1).ToString(CultureInfo.InvariantCulture));
    }
}
