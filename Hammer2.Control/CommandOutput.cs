// What a command prints, on its way to the client. Writing waits until the client took it, so that a slow client slows the
// command and not the memory. Invariants: a client that is gone ends the command by an exception of its streams; a detached
// command writes for nobody, and its last line is kept.

using System.Text;

namespace Hammer2.Control;

/// <summary>The two streams of a command that runs in a mount.</summary>
public sealed class CommandOutput
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private readonly Transaction _transaction;

    internal CommandOutput(Transaction transaction)
    {
        _transaction = transaction;
        Output = new DataStream(this);
        Error = new TextStream(this);
    }

    /// <summary>Bytes of standard output.</summary>
    public Stream Output { get; }

    /// <summary>Standard error.</summary>
    public TextWriter Error { get; }

    /// <summary>For long work: returns at once, or when somebody who paused the transaction lets it go on.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled meanwhile.</exception>
    public void WaitWhilePaused() => _transaction.WaitWhilePaused();

    // What a command says about its own end reaches the client although it was cancelled.
    private void Send(Func<IControlClient, Task> send, bool lastWords = false)
    {
        if (_transaction.Client is not { } client || _transaction.Request.Detached)
            return;
        try
        {
            Task sent = send(client);
            if (!lastWords)
                sent.Wait(_transaction.Stop);
            else if (!sent.Wait(s_patience))
                throw new IOException("the client takes nothing");
        }
        catch (AggregateException gone)
        {
            throw new IOException("the client is gone", gone.InnerException);
        }
    }

    private sealed class DataStream(CommandOutput owner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            // Every write is sent at once.
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.IsEmpty)
                return;
            byte[] bytes = buffer.ToArray();
            owner._transaction.Said(Encoding.UTF8.GetString(bytes[^Math.Min(bytes.Length, 400)..]));
            owner.Send(client => client.OutputAsync(bytes));
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }

    private sealed class TextStream(CommandOutput owner) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        public override void WriteLine(string? value) => Write(value + "\n");

        public override void Write(string? value)
        {
            if (string.IsNullOrEmpty(value))
                return;
            owner._transaction.Said(value);
            owner.Send(client => client.ErrorAsync(value), lastWords: true);
        }
    }
}
