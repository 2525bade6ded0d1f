// The client's side of the control channel. Invariants (R4): every call ends, with its answer or with one ControlException,
// also when the mount ends or is killed in the middle; output arrives in order and before the answer. Thread-safe.

using System.Runtime.ExceptionServices;
using StreamJsonRpc;

namespace Hammer2.Control;

/// <summary>A connection to the process that holds a volume.</summary>
public sealed class ControlClient : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private readonly JsonRpc _rpc;
    private readonly IControlServer _server;
    private readonly Printer _printer = new();

    private ControlClient(Stream stream)
    {
        _rpc = ControlConnection.Create(stream);
        _rpc.AddLocalRpcTarget<IControlClient>(_printer, null);
        _server = _rpc.Attach<IControlServer>();
        _rpc.StartListening();
    }

    /// <summary>Who answered.</summary>
    public ControlHello Server { get; private set; } = ControlConnection.OwnHello;

    /// <summary>Connects to the process that has the volume open.</summary>
    /// <param name="volumeFiles">Absolute paths of the volume's files or devices.</param>
    /// <param name="stop">Ends the attempt.</param>
    /// <returns>Null when no process answers for it.</returns>
    /// <exception cref="ControlException">One answers, but of another version, or not to this user.</exception>
    public static ControlClient? Connect(IEnumerable<string> volumeFiles, CancellationToken stop = default)
    {
        foreach (ControlEndpoint endpoint in ControlEndpoint.Find(volumeFiles))
        {
            if (Connect(endpoint, stop) is { } client)
                return client;
        }

        return null;
    }

    /// <summary>Connects to one endpoint, or returns null when nobody is there.</summary>
    public static ControlClient? Connect(ControlEndpoint endpoint, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Stream? stream;
        try
        {
            stream = endpoint.ConnectAsync(s_patience, stop).GetAwaiter().GetResult();
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new ControlException($"process {endpoint.ProcessId} has the volume mounted for another user; only that user and administrators may control it", refused);
        }

        if (stream is null)
            return null;
        var client = new ControlClient(stream);
        try
        {
            client.Greet(stop);
            return client;
        }
        catch (ControlException gone) when (gone.InnerException is ConnectionLostException)
        {
            // It ended while we came.
            client.Dispose();
            return null;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Runs a command in the mount and returns when it has ended.</summary>
    /// <param name="request">The command.</param>
    /// <param name="output">Takes its standard output.</param>
    /// <param name="error">Takes its standard error.</param>
    /// <param name="stop">Cancels the command.</param>
    /// <exception cref="ControlException">The mount ended meanwhile, or refused.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public RunAnswer Run(RunRequest request, Stream output, TextWriter error, CancellationToken stop)
    {
        using IDisposable printing = _printer.To(output, error);
        try
        {
            return Call(() => _server.RunAsync(request, stop), stop);
        }
        finally
        {
            // A reader of ours that went away is our story; the mount only saw that it could not print.
            _printer.ThrowIfFailed();
        }
    }

    /// <summary>The transactions of the mount.</summary>
    public IReadOnlyList<TransactionInfo> List() => Call(_server.ListAsync, CancellationToken.None);

    /// <summary>Cancels a transaction; false when it has ended, or never was.</summary>
    public bool Cancel(long number) => Call(() => _server.CancelAsync(number), CancellationToken.None);

    /// <summary>Makes a transaction wait or go on; false when it has ended, or never was.</summary>
    public bool Pause(long number, bool pause) => Call(() => _server.PauseAsync(number, pause), CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose() => _rpc.Dispose();

    private void Greet(CancellationToken stop)
    {
        Server = Call(() => _server.HelloAsync(ControlConnection.OwnHello), stop);
        if (Server.Protocol != ControlProtocol.Version)
        {
            throw new ControlException(
                $"the volume is mounted by hammer2 {Server.Product} (process {Server.ProcessId}), which cannot be controlled by this version; use that one, or unmount and mount again");
        }
    }

    private static T Call<T>(Func<Task<T>> call, CancellationToken stop)
    {
        try
        {
            return call().GetAwaiter().GetResult();
        }
        catch (RemoteInvocationException refused)
        {
            stop.ThrowIfCancellationRequested();
            throw new ControlException(refused.Message, refused);
        }
        catch (Exception lost) when (lost is ConnectionLostException or ObjectDisposedException or IOException)
        {
            stop.ThrowIfCancellationRequested();
            throw new ControlException("the mount ended before it answered; look at the volume again before you repeat the command", lost);
        }
    }

    /// <summary>Takes what the mount prints.</summary>
    private sealed class Printer : IControlClient
    {
        private readonly object _gate = new();
        private (Stream Output, TextWriter Error)? _streams;
        private ExceptionDispatchInfo? _failure;

        public IDisposable To(Stream output, TextWriter error)
        {
            lock (_gate)
            {
                _streams = (output, error);
                _failure = null;
            }

            return new End(this);
        }

        public Task OutputAsync(byte[] bytes) => Print(streams => streams.Output.Write(bytes));

        public Task ErrorAsync(string text) => Print(streams => streams.Error.Write(text));

        public void ThrowIfFailed()
        {
            lock (_gate)
                _failure?.Throw();
        }

        private Task Print(Action<(Stream Output, TextWriter Error)> print)
        {
            lock (_gate)
            {
                if (_failure is not null)
                    return Task.FromException(_failure.SourceException);
                try
                {
                    if (_streams is { } streams)
                        print(streams);
                    return Task.CompletedTask;
                }
                catch (Exception failure)
                {
                    _failure = ExceptionDispatchInfo.Capture(failure);
                    return Task.FromException(failure);
                }
            }
        }

        private sealed class End(Printer printer) : IDisposable
        {
            public void Dispose()
            {
                lock (printer._gate)
                    printer._streams = null;
            }
        }
    }
}
