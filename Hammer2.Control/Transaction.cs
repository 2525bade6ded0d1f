// One command under way in a mount. Invariants: it ends exactly once, whoever ends it (its work, its client's end, a
// request, the end of the mount), and whoever waits for it hears of that once; what it says at its end stays readable.

using System.Text;

namespace Hammer2.Control;

/// <summary>A command and what became of it.</summary>
internal sealed class Transaction : IDisposable
{
    private const int MessageCharsMax = 500;
    private readonly object _gate = new();
    private readonly object _life = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TaskCompletionSource<int> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder _message = new();
    private readonly ManualResetEventSlim _mayGoOn = new(true);
    private TransactionState _state = TransactionState.Waiting;
    private DateTime? _endedUtc;
    private int? _exitCode;
    private bool _isDisposed;

    internal Transaction(long number, RunRequest request, IControlClient? client)
    {
        Number = number;
        Request = request;
        Client = client;
    }

    internal long Number { get; }

    internal RunRequest Request { get; }

    /// <summary>Who is shown its output; null when nobody waits for it.</summary>
    internal IControlClient? Client { get; }

    internal DateTime BegunUtc { get; } = DateTime.UtcNow;

    /// <summary>Exit code, once it has ended; cancelled when it was stopped before it began.</summary>
    internal Task<int> Completion => _completion.Task;

    internal CancellationToken Stop => _cancel.Token;

    internal bool HasEnded => _completion.Task.IsCompleted;

    /// <summary>Its turn has come.</summary>
    /// <returns>False when it was cancelled meanwhile and must not be run.</returns>
    internal bool TryStart()
    {
        lock (_gate)
        {
            if (_state != TransactionState.Waiting || _cancel.IsCancellationRequested)
                return false;
            _state = TransactionState.Running;
            return true;
        }
    }

    /// <summary>It ended by itself.</summary>
    internal void End(int exitCode) => Finish(_cancel.IsCancellationRequested ? TransactionState.Cancelled : TransactionState.Done, exitCode);

    /// <summary>Asks it to stop; one that waits ends at once, one that runs when its work notices.</summary>
    internal void Cancel()
    {
        lock (_gate)
        {
            if (_endedUtc is not null)
                return;
        }

        // It may have ended and been forgotten since.
        lock (_life)
        {
            if (!_isDisposed)
                _cancel.Cancel();
        }

        FinishUnlessStarted();
    }

    /// <summary>Makes it wait where its work asks, or go on.</summary>
    internal void Pause(bool pause)
    {
        lock (_life)
        {
            if (_isDisposed)
                return;
            if (pause)
                _mayGoOn.Reset();
            else
                _mayGoOn.Set();
        }
    }

    /// <summary>Returns when it may go on.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled instead.</exception>
    internal void WaitWhilePaused() => _mayGoOn.Wait(_cancel.Token);

    /// <summary>Notes what it said; the last line is shown in lists.</summary>
    internal void Said(string text)
    {
        lock (_gate)
        {
            _message.Append(text);
            if (_message.Length > MessageCharsMax)
                _message.Remove(0, _message.Length - MessageCharsMax);
        }
    }

    internal TransactionInfo Describe()
    {
        lock (_gate)
        {
            string last = _message.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "";
            TransactionState state = _state == TransactionState.Running && !_mayGoOn.IsSet ? TransactionState.Paused : _state;
            return new TransactionInfo(Number, string.Join(' ', Request.Arguments), state, _exitCode, Request.Detached, BegunUtc, _endedUtc, last);
        }
    }

    public void Dispose()
    {
        lock (_life)
        {
            _isDisposed = true;
            _cancel.Dispose();
            _mayGoOn.Dispose();
        }
    }

    private void FinishUnlessStarted()
    {
        lock (_gate)
        {
            if (_state != TransactionState.Waiting)
                return;
            _state = TransactionState.Cancelled;
            _endedUtc = DateTime.UtcNow;
        }

        _completion.SetCanceled(CancellationToken.None);
    }

    private void Finish(TransactionState state, int exitCode)
    {
        lock (_gate)
        {
            _state = state;
            _exitCode = exitCode;
            _endedUtc = DateTime.UtcNow;
        }

        _completion.SetResult(exitCode);
    }
}
