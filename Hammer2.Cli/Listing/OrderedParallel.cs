// Runs a slow function over a sequence on all cores and delivers the results in the order of the
// sequence. Invariants: at most `window` elements are in memory; the sequence is read by the caller's
// thread only; an exception of the function surfaces at its element.

namespace Hammer2.Cli.Listing;

/// <summary>An order-keeping parallel map.</summary>
internal static class OrderedParallel
{
    public static IEnumerable<TOut> Select<TIn, TOut>(
        IEnumerable<TIn> source,
        Func<TIn, bool> isSlow,
        Func<TIn, TOut> function,
        CancellationToken stop,
        int window = 256)
    {
        using var slots = new SemaphoreSlim(Environment.ProcessorCount);
        var pending = new Queue<Task<TOut>>();
        try
        {
            foreach (TIn item in source)
            {
                if (isSlow(item))
                {
                    slots.Wait(stop);
                    pending.Enqueue(Task.Run(() => RunInSlot(item), CancellationToken.None));
                }
                else
                {
                    pending.Enqueue(Task.FromResult(function(item)));
                }

                while (pending.Count >= window || (pending.TryPeek(out Task<TOut>? head) && head.IsCompleted))
                    yield return pending.Dequeue().GetAwaiter().GetResult();
            }

            while (pending.TryDequeue(out Task<TOut>? task))
                yield return task.GetAwaiter().GetResult();
        }
        finally
        {
            // The image must stay open until the last worker has let go of it.
            Task.WhenAll(pending).ContinueWith(static _ => { }, TaskScheduler.Default).Wait(CancellationToken.None);
        }

        TOut RunInSlot(TIn item)
        {
            try
            {
                return function(item);
            }
            finally
            {
                slots.Release();
            }
        }
    }
}
