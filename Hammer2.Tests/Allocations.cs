// Measuring managed allocations: the least of many runs counts, since the runtime itself allocates now and then.
// The work must run on the calling thread.

namespace Hammer2.Tests;

/// <summary>Measures what a piece of work allocates on the managed heap of the calling thread.</summary>
internal static class Allocations
{
    private const int Attempts = 100;
    private static readonly ManualResetEventSlim s_never = new();

    /// <summary>
    /// The least that <paramref name="work"/> allocated in one of many runs. The runtime allocates on its own account
    /// once in a while (code that is not yet optimised, a new thread of the pool); what the work itself allocates
    /// shows in every run.
    /// </summary>
    /// <param name="work">Runs until it allocates no more than <paramref name="enough"/>, at most 100 times.</param>
    /// <param name="enough">Bytes with which the search ends.</param>
    /// <returns>Bytes.</returns>
    internal static long Least(Action work, long enough = 0)
    {
        long least = long.MaxValue;
        for (int attempt = 0; attempt < Attempts && least > enough; attempt++)
        {
            if (attempt > 3)
                s_never.Wait(10);
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
