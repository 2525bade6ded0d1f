// The mount's side of the control channel: listens, looks who comes, greets, and hands commands to the queue. Invariants:
// only the user of the mount and administrators get in, by what the system says about them; a client that goes away takes
// its waiting and running transactions with it, detached ones stay (R3); when the mount ends every call that is
// under way gets its answer or an error before the connection closes.

using System.IO.Pipes;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.AccessControl;
using System.Security.Principal;
using Microsoft.Extensions.Logging;
using StreamJsonRpc;

namespace Hammer2.Control;

/// <summary>Serves the control channel of a mount until it is disposed.</summary>
public sealed class ControlServer : IDisposable
{
    private const int Backlog = 16;
    private static readonly TimeSpan s_pauseAfterFailure = TimeSpan.FromMilliseconds(200);
    private readonly ILogger _logger;
    private readonly TransactionQueue _queue;
    private readonly CancellationTokenSource _stop = new();
    private readonly object _gate = new();
    private readonly List<Session> _sessions = [];
    private readonly Socket? _listener;
    private readonly Task _accepting;

    /// <summary>Begins to listen.</summary>
    /// <exception cref="ControlException">The address cannot be used.</exception>
    public ControlServer(ControlEndpoint endpoint, ICommandRunner runner, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Endpoint = endpoint;
        _logger = logger;
        _queue = new TransactionQueue(runner, logger);
        if (OperatingSystem.IsWindows())
        {
            _accepting = StartPipes();
            return;
        }

        _listener = Listen(endpoint);
        _accepting = Task.Run(AcceptSocketsAsync);
    }

    /// <summary>Where it listens.</summary>
    public ControlEndpoint Endpoint { get; }

    /// <summary>Accepts nothing more, cancels every transaction, and returns when all have ended and all clients have their answers.</summary>
    public void Dispose()
    {
        if (_stop.IsCancellationRequested)
            return;
        _stop.Cancel();
        _listener?.Dispose();
        _accepting.Wait();
        if (_listener is not null)
            File.Delete(Endpoint.Address);
        _queue.Dispose();
        Session[] sessions;
        lock (_gate)
            sessions = [.. _sessions];
        foreach (Session session in sessions)
            session.Close();
        _stop.Dispose();
    }

    [UnsupportedOSPlatform("windows")]
    private static Socket Listen(ControlEndpoint endpoint)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // The name holds our process id: what is there is left over from an earlier process of that number.
            File.Delete(endpoint.Address);
            socket.Bind(new UnixDomainSocketEndPoint(endpoint.Address));
            File.SetUnixFileMode(endpoint.Address, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(Backlog);
            return socket;
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new ControlException($"the control channel cannot listen at {endpoint.Address}: {failure.Message}", failure);
        }
    }

    [UnsupportedOSPlatform("windows")]
    private async Task AcceptSocketsAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket peer;
            try
            {
                peer = await _listener!.AcceptAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                if (_stop.IsCancellationRequested)
                    return;
                _logger.LogWarning("A control client could not be accepted: {Message}", failure.Message);
                await Task.Delay(s_pauseAfterFailure, CancellationToken.None).ConfigureAwait(false);
                continue;
            }

            if (UserOf(peer) is not uint user)
            {
                peer.Dispose();
                continue;
            }

            if (user != 0 && user != ControlFolder.EffectiveUserId())
            {
                _logger.LogWarning("User {User} may not control this mount.", user);
                peer.Dispose();
                continue;
            }

            Serve(new NetworkStream(peer, ownsSocket: true));
        }
    }

    // A client that is gone already has no user any more, and is nobody's loss.
    [UnsupportedOSPlatform("windows")]
    private uint? UserOf(Socket peer)
    {
        try
        {
            return PeerCredentials.UserOf(peer);
        }
        catch (SocketException failure)
        {
            _logger.LogWarning("A control client went before it was known: {Message}", failure.Message);
            return null;
        }
    }

    [SupportedOSPlatform("windows")]
    private Task StartPipes()
    {
        NamedPipeServerStream first = NewPipe();
        return AcceptPipesAsync(first);
    }

    [SupportedOSPlatform("windows")]
    private NamedPipeServerStream NewPipe()
    {
        var security = new PipeSecurity();
        using WindowsIdentity self = WindowsIdentity.GetCurrent();
        foreach (SecurityIdentifier allowed in (SecurityIdentifier[])[self.User!, new(WellKnownSidType.BuiltinAdministratorsSid, null)])
            security.AddAccessRule(new PipeAccessRule(allowed, PipeAccessRights.FullControl, AccessControlType.Allow));
        return NamedPipeServerStreamAcl.Create(
            Endpoint.Address, PipeDirection.InOut, NamedPipeServerStream.MaxAllowedServerInstances, PipeTransmissionMode.Byte, PipeOptions.Asynchronous, 0, 0, security);
    }

    [SupportedOSPlatform("windows")]
    private async Task AcceptPipesAsync(NamedPipeServerStream pipe)
    {
        while (true)
        {
            try
            {
                await pipe.WaitForConnectionAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException)
            {
                await pipe.DisposeAsync().ConfigureAwait(false);
                if (_stop.IsCancellationRequested)
                    return;
                pipe = NewPipe();
                continue;
            }

            Serve(pipe);
            pipe = NewPipe();
        }
    }

    private void Serve(Stream stream)
    {
        var session = new Session(this, stream);
        lock (_gate)
            _sessions.Add(session);
        session.Start();
    }

    private void Ended(Session session)
    {
        lock (_gate)
            _sessions.Remove(session);
    }

    /// <summary>One connected client.</summary>
    private sealed class Session : IControlServer
    {
        private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
        private readonly ControlServer _server;
        private readonly ControlConnection.Connection _rpc;
        private readonly IControlClient _client;
        private readonly object _gate = new();
        private readonly HashSet<Transaction> _mine = [];
        private bool _greeted;
        private bool _gone;
        private int _calls;

        internal Session(ControlServer server, Stream stream)
        {
            _server = server;
            _rpc = ControlConnection.Create(stream);
            _rpc.Answered = Answered;
            _rpc.AddLocalRpcTarget<IControlServer>(this, null);
            _client = _rpc.Attach<IControlClient>();
            _rpc.Disconnected += (_, _) => Gone();
        }

        internal void Start() => _rpc.StartListening();

        /// <summary>All transactions have ended: waits until the answers are written, then hangs up.</summary>
        internal void Close()
        {
            lock (_gate)
            {
                DateTime deadline = DateTime.UtcNow + s_patience;
                while (_calls > 0 && !_gone && DateTime.UtcNow < deadline)
                    Monitor.Wait(_gate, s_patience);
            }

            _rpc.Dispose();
        }

        public Task<ControlHello> HelloAsync(ControlHello client)
        {
            Called();
            _greeted = client.Protocol == ControlProtocol.Version;
            return Task.FromResult(ControlConnection.OwnHello);
        }

        public async Task<RunAnswer> RunAsync(RunRequest request, CancellationToken cancellationToken)
        {
            Called();
            ThrowUnlessGreeted();
            Transaction transaction = _server._queue.Add(request, request.Detached ? null : _client);
            if (request.Detached)
                return new RunAnswer(0, transaction.Number);
            Own(transaction);
            try
            {
                using CancellationTokenRegistration registration = cancellationToken.Register(transaction.Cancel);
                return new RunAnswer(await transaction.Completion.ConfigureAwait(false), transaction.Number);
            }
            catch (OperationCanceledException)
            {
                throw new LocalRpcException(cancellationToken.IsCancellationRequested ? "the command was cancelled" : "the command was cancelled: the mount is ending or somebody cancelled it");
            }
            finally
            {
                Disown(transaction);
            }
        }

        public Task<IReadOnlyList<TransactionInfo>> ListAsync()
        {
            Called();
            ThrowUnlessGreeted();
            return Task.FromResult(_server._queue.List());
        }

        public Task<bool> CancelAsync(long number)
        {
            Called();
            ThrowUnlessGreeted();
            return Task.FromResult(_server._queue.Cancel(number));
        }

        public Task<bool> PauseAsync(long number, bool pause)
        {
            Called();
            ThrowUnlessGreeted();
            return Task.FromResult(_server._queue.Pause(number, pause));
        }

        private void ThrowUnlessGreeted()
        {
            if (!_greeted)
                throw new LocalRpcException($"this mount speaks version {ControlProtocol.Version} of the control protocol; use the hammer2 that belongs to it");
        }

        private void Own(Transaction transaction)
        {
            bool gone;
            lock (_gate)
            {
                _mine.Add(transaction);
                gone = _gone;
            }

            if (gone)
                transaction.Cancel();
        }

        private void Disown(Transaction transaction)
        {
            lock (_gate)
                _mine.Remove(transaction);
        }

        private void Called()
        {
            lock (_gate)
                _calls++;
        }

        // The answer is in the stream: only now may the connection be closed behind it.
        private void Answered()
        {
            lock (_gate)
            {
                _calls--;
                Monitor.PulseAll(_gate);
            }
        }

        private void Gone()
        {
            Transaction[] mine;
            lock (_gate)
            {
                _gone = true;
                mine = [.. _mine];
                Monitor.PulseAll(_gate);
            }

            foreach (Transaction transaction in mine)
                transaction.Cancel();
            _server.Ended(this);
        }
    }
}
