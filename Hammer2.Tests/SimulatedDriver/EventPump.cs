// The threads that pull events from the driver and run callbacks, one event at a time each (dokan-semantics A.0.2).
// Invariants: with a seed the next event is drawn at random from the waiting ones, otherwise first come first served; a
// caller waits with a deadline, so that a hang is a failed test and not a stuck one. Without threads of its own the callers
// run their events themselves: as many at once as there are callers, and nothing is lost on handing over. Calls nothing.

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Pulling threads.</summary>
internal sealed class EventPump : IDisposable
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);
    private readonly Lock _gate = new();
    private readonly List<Action> _waiting = [];
    private readonly SemaphoreSlim _available = new(0);
    private readonly Thread[] _threads;
    private readonly Random? _scheduler;
    private bool _stopped;

    internal EventPump(int threads, int? seed)
    {
        _scheduler = seed is { } value ? new Random(value) : null;
        _threads = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            _threads[i] = new Thread(Pull) { IsBackground = true, Name = $"simulated driver {i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Runs an event and waits for its end.</summary>
    internal T Run<T>(Func<T> work)
    {
        if (_threads.Length == 0)
            return work();
        Task<T> task = Post(work);
        if (!task.Wait(s_deadline))
            Assert.Fail($"an event did not end within {s_deadline.TotalSeconds} s");
        return task.Result;
    }

    /// <summary>Queues an event.</summary>
    internal Task<T> Post<T>(Func<T> work)
    {
        if (_threads.Length == 0)
            return Task.Run(work);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            _waiting.Add(() =>
            {
                try
                {
                    done.SetResult(work());
                }
                catch (Exception thrown)
                {
                    done.SetException(thrown);
                }
            });
        }

        _available.Release();
        return done.Task;
    }

    public void Dispose()
    {
        lock (_gate)
            _stopped = true;
        if (_threads.Length > 0)
            _available.Release(_threads.Length);
        foreach (Thread thread in _threads)
            Assert.IsTrue(thread.Join(s_deadline), "a pulling thread did not end");
        _available.Dispose();
    }

    private void Pull()
    {
        while (true)
        {
            _available.Wait();
            Action work;
            lock (_gate)
            {
                if (_waiting.Count == 0)
                {
                    if (_stopped)
                        return;
                    continue;
                }

                int next = _scheduler?.Next(_waiting.Count) ?? 0;
                work = _waiting[next];
                _waiting.RemoveAt(next);
            }

            work();
        }
    }
}
