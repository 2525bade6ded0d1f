// A volume that is filled to the last byte by several threads, emptied and filled again. After each filling and each remount
// every file is compared, the strict check is clean, and the names are exactly those that were accepted; bulkfree leaves
// nothing allocated that no tree refers to. Invariants: a round in which no call comes back for a minute is a finding.

using System.Globalization;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Torture.Model;

namespace Hammer2.Torture.Full;

/// <summary>The rounds of one volume.</summary>
internal sealed class FillRun : IDisposable
{
    /// <summary>What may be allocated after bulkfree and a commit beyond what the trees refer to: the commit's own changes.</summary>
    internal const long LeakBytesMax = 1 << 20;

    // A full volume has its reserve left, and what the claim of one operation was too generous by.
    private const long GenerousBytesMax = 2 << 20;

    // Larger volumes take too many small files.
    private const long SmallFilesBytesMax = 128 << 20;
    private const int RemoveAllEvery = 4;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly FullVolume _volume;
    private readonly FillWorker[] _workers;
    private readonly Random _random;
    private readonly long _emptyBytes;

    // newfs counts the rest of the segment in which its own inodes lie as free, though nobody can allocate there.
    private readonly long _neverFreeBytes;

    /// <param name="settings">Of the volume.</param>
    /// <param name="seed">Of what the threads do; the system decides how they meet.</param>
    internal FillRun(FullSettings settings, int seed)
    {
        _random = new Random(seed);
        _volume = new FullVolume(settings);
        _workers = [.. Enumerable.Range(0, settings.Threads).Select(i => new FillWorker(_volume, i, seed))];
        foreach (string name in _workers.Select(static worker => worker.Directory).Append(FillWorker.SharedDirectory))
        {
            using Vnode root = _volume.Pfs.OpenRoot();
            Hammer2Error error = _volume.Pfs.TryCreate(root, System.Text.Encoding.ASCII.GetBytes(name), new NewInode { Type = ObjectType.Directory, Mode = 0x1ED }, out Vnode? made);
            made?.Dispose();
            if (error != Hammer2Error.None)
                throw new MismatchException($"the directory {name} was answered with {error}");
        }

        _volume.Reclaim();
        MediumSpace empty = _volume.Remount();
        _emptyBytes = _volume.Volume.FreeBytes;
        _neverFreeBytes = Math.Clamp(_emptyBytes - empty.FreeBytes, 0, FreemapGeometry.SegmentBytes);
    }

    /// <summary>What the last round did, in a line.</summary>
    internal string Story { get; private set; } = "";

    /// <summary>Fills, looks, empties, looks.</summary>
    /// <exception cref="MismatchException">Something is lost, refused or not given back.</exception>
    internal void Round(int round)
    {
        bool all = round % RemoveAllEvery == RemoveAllEvery - 1;
        Together(worker => worker.Fill(_volume.AllocatableBytes <= SmallFilesBytesMax));
        long early = _volume.Volume.FreeBytes;
        // Alone, so that no other thread's claim stands in the way: what is left is left for good.
        _workers[0].FillWithTinyFiles();
        SpaceClaim claimed = _volume.Volume.Writer!.Freemap.Claimed;
        _volume.Volume.Sync();
        long full = _volume.Volume.FreeBytes;
        // Half of the rounds remove while the volume is full and nothing is committed yet.
        if (_random.Next(2) == 0)
            Together(worker => worker.Remove(0.2));
        Verify();
        _volume.Volume.Sync();
        _volume.Remount();
        Verify();
        string filled = string.Create(CultureInfo.InvariantCulture, $"{_workers.Sum(static w => w.Files)} files, {_workers.Sum(static w => w.Bytes) >> 10} KiB, {full >> 10} KiB free ({early >> 10} when the threads were done), {_workers.Sum(static w => w.Refusals)} refusals so far");
        if (full - _neverFreeBytes > _volume.ReserveBytes + GenerousBytesMax)
            throw new MismatchException($"no space was left with {filled}; the reserve is {_volume.ReserveBytes >> 10} KiB, promised were {claimed} before the sync");
        Together(worker => worker.Remove(all ? 1 : 0.3 + 0.6 * _random.NextDouble()));
        _volume.Reclaim();
        CheckSpace(_volume.Volume.FreeBytes, all);
        Verify();
        Story = $"{filled}; then {_workers.Sum(static w => w.Files)} files, {_volume.Volume.FreeBytes >> 10} KiB free";
    }

    public void Dispose() => _volume.Dispose();

    private void CheckSpace(long free, bool empty)
    {
        MediumSpace space = _volume.Remount();
        long over = free - _neverFreeBytes - space.FreeBytes;
        if (over is < -LeakBytesMax or > 0)
            throw new MismatchException($"after bulkfree {free - _neverFreeBytes >> 10} KiB are free, but {space.FreeBytes >> 10} KiB are not in use");
        if (empty && free < _emptyBytes - LeakBytesMax)
            throw new MismatchException($"everything is removed and {free >> 10} KiB are free; {_emptyBytes >> 10} were at the beginning");
    }

    private void Verify()
    {
        Together(static worker => worker.Verify());
        HashSet<string> expected = [.. _workers.SelectMany(static worker => worker.Paths)];
        foreach (string directory in _workers.Select(static worker => worker.Directory).Append(FillWorker.SharedDirectory))
        {
            foreach (string path in FillWorker.List(_volume, directory))
            {
                if (!expected.Remove(path))
                    throw new MismatchException($"{path} is listed and was not made, or is listed twice");
            }
        }

        if (expected.Count > 0)
            throw new MismatchException($"{expected.Count} files are not listed, {expected.First()} for one");
    }

    private void Together(Action<FillWorker> action)
    {
        Exception? failure = null;
        Task[] tasks = [.. _workers.Select(worker => Task.Factory.StartNew(
            () =>
            {
                try
                {
                    action(worker);
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        for (long calls = -1; !Task.WaitAll(tasks, s_patience);)
        {
            long now = _workers.Sum(static worker => worker.Calls);
            if (now == calls)
                throw new MismatchException($"nothing comes back: {string.Join(", ", _workers.Where((_, i) => !tasks[i].IsCompleted).Select(static worker => worker.Doing))}", failure);
            calls = now;
        }

        if (failure is not null)
            throw failure as MismatchException ?? new MismatchException(failure.ToString(), failure);
        if (_volume.Volume.Failure is { } latched)
            throw new MismatchException("the volume takes no changes any more: " + latched.Message, latched);
    }
}
