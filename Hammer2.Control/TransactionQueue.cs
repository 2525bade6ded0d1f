// The transactions of a mount (R3): short commands run at once, long ones one after the other in the order of their coming.
// The queue belongs to the mount: a client's end cancels what it waits for and leaves the rest, detached transactions
// included. Invariants: every transaction ends exactly once, also at the end of the mount, after which none is accepted; the
// last ones that ended can be looked at.

using Microsoft.Extensions.Logging;

namespace Hammer2.Control;

/// <summary>Runs the commands of clients.</summary>
internal sealed class TransactionQueue : IDisposable
{
    private const int EndedKept = 32;
    private readonly ICommandRunner _runner;
    private readonly ILogger _logger;
    private readonly object _gate = new();
    private readonly LinkedList<Transaction> _known = new();
    private Task _lastLong = Task.CompletedTask;
    private long _number;
    private bool _closed;

    internal TransactionQueue(ICommandRunner runner, ILogger logger)
    {
        _runner = runner;
        _logger = logger;
    }

    /// <summary>Takes a command in; it runs as soon as it may.</summary>
    /// <exception cref="ControlException">The mount is ending.</exception>
    internal Transaction Add(RunRequest request, IControlClient? client)
    {
        bool isLong = _runner.IsLong(request);
        lock (_gate)
        {
            if (_closed)
                throw new ControlException("the mount is ending; try again when it is gone");
            var transaction = new Transaction(++_number, request, client);
            _known.AddLast(transaction);
            Forget();
            Task before = isLong ? _lastLong : Task.CompletedTask;
            Task work = before.ContinueWith(
                _ => Run(transaction), CancellationToken.None, TaskContinuationOptions.LongRunning, TaskScheduler.Default);
            if (isLong)
                _lastLong = work;
            return transaction;
        }
    }

    internal IReadOnlyList<TransactionInfo> List()
    {
        lock (_gate)
            return [.. _known.Select(static transaction => transaction.Describe())];
    }

    internal bool Cancel(long number) => Do(number, static transaction => transaction.Cancel());

    /// <exception cref="ControlException">It is a command that does not stop half-way.</exception>
    internal bool Pause(long number, bool pause) => Do(number, transaction =>
    {
        if (pause && !_runner.CanPause(transaction.Request))
            throw new ControlException($"transaction {number} cannot be paused: '{string.Join(' ', transaction.Request.Arguments)}' is a command that goes on to its end, or can be cancelled");
        transaction.Pause(pause);
    });

    /// <summary>Accepts nothing more, cancels what there is, and returns when everything has ended.</summary>
    public void Dispose()
    {
        Transaction[] all;
        lock (_gate)
        {
            _closed = true;
            all = [.. _known];
        }

        foreach (Transaction transaction in all)
            transaction.Cancel();
        foreach (Transaction transaction in all)
        {
            // Cancelled ones end their task as cancelled; how it ended is their clients' business.
            Task.WhenAny(transaction.Completion).Wait();
            transaction.Dispose();
        }
    }

    private bool Do(long number, Action<Transaction> action)
    {
        Transaction? found;
        lock (_gate)
            found = _known.FirstOrDefault(transaction => transaction.Number == number && !transaction.HasEnded);
        if (found is not null)
            action(found);
        return found is not null;
    }

    private void Run(Transaction transaction)
    {
        if (!transaction.TryStart())
            return;
        int exitCode = ICommandRunner.ExitCodeOfFailure;
        try
        {
            exitCode = _runner.Run(transaction.Request, new CommandOutput(transaction), transaction.Stop);
        }
        catch (OperationCanceledException) when (transaction.Stop.IsCancellationRequested)
        {
            exitCode = ICommandRunner.ExitCodeOfCancelled;
        }
        catch (Exception failure)
        {
            // A runner explains its failures itself; what comes here is a defect, and must not take the mount down.
            _logger.LogError(failure, "The command '{Command}' failed.", string.Join(' ', transaction.Request.Arguments));
            transaction.Said(failure.Message);
        }
        finally
        {
            transaction.End(exitCode);
        }
    }

    private void Forget()
    {
        int surplus = _known.Count(static transaction => transaction.HasEnded) - EndedKept;
        for (LinkedListNode<Transaction>? node = _known.First; node is not null && surplus > 0;)
        {
            LinkedListNode<Transaction>? next = node.Next;
            if (node.Value.HasEnded)
            {
                _known.Remove(node);
                node.Value.Dispose();
                surplus--;
            }

            node = next;
        }
    }
}
