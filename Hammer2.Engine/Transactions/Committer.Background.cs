// The background half: one thread that writes data out when enough of it waits, and commits at intervals. It also
// looks at the medium again after a pause (the machine slept, a virtual machine was stopped): if another system has
// written headers meanwhile, nothing that this one knows is true any more.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Transactions;

internal sealed partial class Committer : IDisposable
{
    // Longer than any interval between two looks while the machine runs and is busy.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(30);

    private readonly object _wake = new();
    private readonly object _look = new();
    private Thread? _thread;
    private TimeSpan _interval;
    private bool _stop;
    private bool _woken;
    private DateTime _lastLook;

    /// <summary>Called with the reason when another system has changed the volume: everything cached is worthless.</summary>
    internal Action? MediumChanged { get; set; }

    /// <summary>Called now and then by the background thread, to look whether space gets low.</summary>
    internal Action? SpaceIsChecked { get; set; }

    /// <summary>Starts committing by itself.</summary>
    /// <param name="interval">Longest time that a change waits; zero = only write-out, no commits.</param>
    internal void Start(TimeSpan interval)
    {
        _interval = interval;
        _thread = new Thread(RunBackground) { IsBackground = true, Name = "hammer2 commit" };
        _thread.Start();
    }

    /// <summary>Compares the headers on the medium with ours; for use after a resume.</summary>
    /// <returns>False when the volume was latched because they differ.</returns>
    internal bool CheckMedium()
    {
        lock (_look)
        {
            if (Failure is not null)
                return false;
            try
            {
                _headers.ThrowIfChanged();
                _lastLook = DateTime.UtcNow;
                return true;
            }
            catch (Hammer2Exception e)
            {
                Latch(e);
                MediumChanged?.Invoke();
                return false;
            }
        }
    }

    /// <summary>Stops the background thread; nothing is committed by that.</summary>
    public void Dispose()
    {
        lock (_wake)
        {
            _stop = true;
            Monitor.PulseAll(_wake);
        }

        Budget.Open();
        _thread?.Join();
        _gate.Dispose();
    }

    private void Wake()
    {
        if (Volatile.Read(ref _woken))
            return;
        lock (_wake)
        {
            _woken = true;
            Monitor.PulseAll(_wake);
        }
    }

    // Every operation comes here: one look at the clock, and rarely one at the medium.
    private void LookAtMedium()
    {
        DateTime now = DateTime.UtcNow;
        if (now - _lastLook < s_pause && now >= _lastLook)
        {
            // While the machine is busy the time of the last look moves on with it.
            if (now - _lastLook > TimeSpan.FromSeconds(1))
                _lastLook = now;
            return;
        }

        CheckMedium();
    }

    private void RunBackground()
    {
        DateTime lastCommit = DateTime.UtcNow;
        while (WaitForWork(lastCommit))
        {
            try
            {
                if (Failure is not null)
                    continue;
                SpaceIsChecked?.Invoke();
                bool due = _interval > TimeSpan.Zero && DateTime.UtcNow - lastCommit >= _interval;
                if (due || WantsCommit)
                {
                    if (_source!.HasChanges)
                        Commit();
                    lastCommit = DateTime.UtcNow;
                }
                else if (WantsWriteOut)
                {
                    LookAtMedium();
                    _source!.WriteOut();
                }
            }
            catch (Exception e)
            {
                // Whoever asks for durability next is told; the volume accepts no changes from now on.
                Latch(e as Hammer2Exception ?? new Hammer2Exception(Hammer2Error.Io, $"Writing in the background failed: {e.Message}", e));
            }
        }
    }

    // Metadata leaves memory only with a commit, file data also before.
    private bool WantsCommit => Interlocked.Read(ref _metadataBytes) > Budget.WriteOutBytes;

    private bool WantsWriteOut => Budget.Bytes - Interlocked.Read(ref _metadataBytes) > Budget.WriteOutBytes;

    private bool WaitForWork(DateTime lastCommit)
    {
        lock (_wake)
        {
            if (_stop)
                return false;
            TimeSpan left = _interval - (DateTime.UtcNow - lastCommit);
            if (!_woken && (_interval == TimeSpan.Zero || left > TimeSpan.Zero))
            {
                if (_interval == TimeSpan.Zero)
                    Monitor.Wait(_wake);
                else
                    Monitor.Wait(_wake, left > _interval ? _interval : left);
            }

            _woken = false;
            return !_stop;
        }
    }
}
