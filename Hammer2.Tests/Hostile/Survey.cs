// Opens an image and asks for everything a front end could ask for, within limits: PFS list, listings, look-ups,
// attributes, file bytes at several places, symlink targets, holes. Hammer2Exception is an answer; anything else
// escapes to the test. Run it through Bounded, which adds a deadline, a small stack and an allocation limit.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Hostile;

/// <summary>What a survey met.</summary>
internal sealed class Survey
{
    private const int EntriesMax = 4000;
    private const int DirectoriesMax = 400;
    private const int BatchesMax = 400;
    private const int ReadsMax = 3000;
    private const int WalkMax = 100_000;
    private readonly byte[] _buffer = new byte[3 * 65536 + 512];
    private int _reads;

    internal int Entries { get; private set; }

    internal int Failures { get; private set; }

    internal bool Opened { get; private set; }

    internal static Survey Of(IReadOnlyList<IBlockDevice> devices)
    {
        var survey = new Survey();
        survey.Try(() => survey.Run(devices));
        return survey;
    }

    private void Run(IReadOnlyList<IBlockDevice> devices)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(devices, new VolumeOptions { CacheBytesMax = 1 << 20 });
        Opened = true;
        IReadOnlyList<PfsInfo> list = volume.ListPfs(out IReadOnlyList<Hammer2Exception> failures);
        Failures += failures.Count;
        Try(() => volume.OpenPfs("no such label").Dispose());
        foreach (PfsInfo info in list.Take(16))
        {
            Try(() =>
            {
                using PfsMount pfs = volume.OpenPfs(info.Label);
                Walk(pfs);
                Assert.AreEqual(0, pfs.OpenInodes, "vnodes left open");
            });
        }

        Try(() => RunTools(volume));
    }

    // What the commands for damaged volumes do. Their walks are endless for nobody, but long for this test.
    private void RunTools(Hammer2Volume volume)
    {
        Assert.IsLessThan(WalkMax, TopologyWalk.Run(volume).Take(WalkMax).Count());
        Assert.IsLessThan(WalkMax, FreemapWalk.Run(volume).Take(WalkMax).Count());
        VerifyReport report = new VolumeVerifier(volume).Run(workers: 1);
        foreach (VerifyFinding finding in report.Findings)
            Assert.DoesNotContain("\n", finding.Message);
        Failures += report.Findings.Count;
        foreach (CheckFinding finding in VolumeChecker.Check(volume).Findings)
            Assert.DoesNotContain("\n", finding.Message);
    }

    private void Walk(PfsMount pfs)
    {
        var pending = new Queue<ulong>([PfsMount.RootInodeNumber]);
        var seen = new HashSet<ulong>(pending);
        var batch = new DirectoryBatch(50) { WithDots = true };
        for (int n = 0; n < DirectoriesMax && pending.TryDequeue(out ulong number); n++)
        {
            Try(() =>
            {
                if (pfs.TryOpen(number, out Vnode? directory) != Hammer2Error.None)
                    return;
                using (directory)
                    List(pfs, directory!, batch, pending, seen);
            });
        }
    }

    private void List(PfsMount pfs, Vnode directory, DirectoryBatch batch, Queue<ulong> pending, HashSet<ulong> seen)
    {
        ulong position = 0;
        int batches = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            Failures += batch.Damage.Count;
            for (int i = 0; i < batch.Count; i++)
                VisitEntry(pfs, directory, batch, i, pending, seen);
            Assert.IsTrue(batch.EndOfDirectory || batch.NextPosition > position, "the listing does not move on");
            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory && Entries < EntriesMax && ++batches < BatchesMax);
    }

    private void VisitEntry(PfsMount pfs, Vnode directory, DirectoryBatch batch, int i, Queue<ulong> pending, HashSet<ulong> seen)
    {
        Entries++;
        ref readonly DirectoryRecord record = ref batch[i];
        ulong number = record.InodeNumber;
        byte[] name = batch.NameOf(i).ToArray();
        if (record.Error == Hammer2Error.None)
            Assert.IsGreaterThanOrEqualTo(0L, record.Attributes.Size);
        Try(() =>
        {
            if (pfs.TryLookup(directory, name, out Vnode? vnode) == Hammer2Error.None)
                vnode!.Dispose();
        });
        if (!seen.Add(number))
            return;
        Try(() =>
        {
            if (pfs.TryOpen(number, out Vnode? vnode) != Hammer2Error.None)
                return;
            using (vnode)
                VisitObject(vnode!, number, pending);
        });
    }

    private void VisitObject(Vnode vnode, ulong number, Queue<ulong> pending)
    {
        InodeAttributes attributes = vnode.GetAttributes();
        switch (vnode.Type)
        {
            case ObjectType.Directory:
                pending.Enqueue(number);
                break;
            case ObjectType.Symlink:
                Assert.IsLessThanOrEqualTo(65536, vnode.ReadLink().Length);
                break;
            case ObjectType.File:
                ReadFile(vnode, attributes.Size);
                break;
            default:
                break;
        }
    }

    private void ReadFile(Vnode vnode, long size)
    {
        foreach (long at in (long[])[0, 65536, size / 2, Math.Max(0, size - 70000)])
        {
            if (_reads++ < ReadsMax)
                Try(() => Assert.IsLessThanOrEqualTo(_buffer.Length, vnode.Read(at, _buffer)));
        }

        long position = 0;
        for (int step = 0; step < 20 && position < size; step++)
        {
            long? next = null;
            Try(() => next = vnode.NextData(position));
            if (next is not long data)
                return;
            long hole = -1;
            Try(() => hole = vnode.NextHole(data));
            if (hole < 0)
                return;
            Assert.IsTrue(data >= position && hole > data && hole <= size, $"data at {data}, hole at {hole}, size {size}");
            position = hole;
        }
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Hammer2Exception e)
        {
            Assert.DoesNotContain("\n", e.Message, "the message must be one line");
            Assert.AreNotEqual(Hammer2Error.None, e.Error);
            Assert.DoesNotContain("Verification stopped", e.Message, "something unexpected ended the verification");
            Failures++;
        }
    }
}

/// <summary>Runs something hostile where it can neither hang the tests nor eat the machine.</summary>
internal static class Bounded
{
    private const int StackBytes = 256 * 1024;
    internal const long AllocationMax = 48L << 20;

    /// <summary>Runs on a thread of its own with 256 KiB of stack; fails after the deadline or above the allocation limit.</summary>
    internal static void Run(string what, Action action, int seconds = 30, long allocationMax = AllocationMax)
    {
        Exception? failure = null;
        long allocated = 0;
        var thread = new Thread(
            () =>
            {
                try
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    action();
                    allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                }
#pragma warning disable CA1031 // whatever escapes on this thread is carried to the test's own
                catch (Exception e)
#pragma warning restore CA1031
                {
                    failure = e;
                }
            },
            StackBytes)
        { IsBackground = true };
        thread.Start();
        Assert.IsTrue(thread.Join(TimeSpan.FromSeconds(seconds)), $"{what}: not done after {seconds} s");
        if (failure is AssertFailedException)
            Assert.Fail($"{what}: {failure.Message}\n{failure.StackTrace}");
        if (failure is not null)
            Assert.Fail($"{what}: {failure}");
        Assert.IsLessThan(allocationMax, allocated, $"{what}: allocated {allocated} bytes");
    }

    /// <summary>Runs something that must fail in one of the named ways.</summary>
    internal static Hammer2Exception Fails(string what, Action action, params Hammer2Error[] errors)
    {
        Hammer2Exception? met = null;
        Run(what, () => met = Assert.ThrowsExactly<Hammer2Exception>(action, what));
        Assert.DoesNotContain("\n", met!.Message);
        Assert.Contains(met.Error, errors, $"{what}: {met.Error}: {met.Message}");
        return met;
    }
}
