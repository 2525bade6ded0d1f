// What this is: the threads that serve one FUSE connection until the kernel ends it.
// Invariants: each worker owns its buffers and, where the kernel allows it, its own end of the connection; a worker ends only
// when the connection ends; the session has ended when the last worker has. Ends of the connection are closed by the session
// after the last worker stopped using them. A request that may wait for a disk or for room in memory is not begun by the last
// idle worker: another one is started before, up to a limit, so that waiting writers do not hold up readers.
// Layers: IFuseChannel, FuseDispatcher.

using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Sessions;

/// <summary>Serves a connection with several workers.</summary>
internal sealed unsafe class FuseSession
{
    /// <summary>How many workers may be added to those that a session starts with.</summary>
    public const int SpareWorkersMax = 12;

    private const int PageBytes = 4096;

    // What the kernel demands of a request buffer besides the payload of a WRITE: headers, and room for the largest INIT.
    private const int RequestOverheadBytes = 8192;

    // A message is received so that the data of a WRITE, which stands behind two headers, begins at a page.
    private static readonly int s_messageStart = PageBytes - sizeof(FuseInHeader) - sizeof(FuseWriteIn);

    private readonly FuseDispatcher _dispatcher;
    private readonly FuseDispatcherOptions _options;
    private readonly ILogger _logger;
    private readonly IFuseChannel _first;
    private readonly List<IFuseChannel> _channels;
    private readonly Lock _gate = new();
    private readonly Lock _notifyGate = new();
    private readonly int _workers;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _started;
    private int _running;
    private int _idle;

    /// <summary>Prepares a session over one open channel, which it owns from now on.</summary>
    public FuseSession(
        IFuseChannel channel, FuseDispatcher dispatcher, FuseDispatcherOptions options, int workers, ILogger logger)
    {
        _first = channel;
        _channels = [channel];
        _dispatcher = dispatcher;
        _options = options;
        _logger = logger;
        _workers = workers;
    }

    /// <summary>Completes when the kernel has ended the connection and no worker runs any more.</summary>
    public Task Ended => _ended.Task;

    /// <summary>
    /// The number of workers a machine gets unless told otherwise: a few more than processors, since some wait for
    /// disks.
    /// </summary>
    public static int DefaultWorkers => Math.Clamp(Environment.ProcessorCount + 2, 2, 16);

    /// <summary>How many workers were started.</summary>
    public int StartedWorkers => Volatile.Read(ref _started);

    /// <summary>Starts the workers. To be called once the connection is mounted: only then can it be cloned.</summary>
    public void Start()
    {
        // Counted first: a worker that ends at once must not be the last one.
        _running = _workers;
        _idle = _workers;
        for (var i = 0; i < _workers; i++)
            Start(i == 0 ? _first : CloneChannel());
    }

    /// <summary>Sends what the kernel did not ask for. To be called by no worker: the kernel may wait for one of them before it returns.</summary>
    /// <returns>0 or a negative errno: ENOENT when the kernel keeps nothing of the kind, ENODEV when the connection has ended.</returns>
    public int Notify(ReadOnlySpan<byte> message)
    {
        lock (_notifyGate)
            return _ended.Task.IsCompleted ? -Errno.ENODEV : _first.Send(message);
    }

    private void Start(IFuseChannel channel)
    {
        var number = Interlocked.Increment(ref _started);
        new Thread(() => Work(channel)) { IsBackground = true, Name = $"hammer2-fuse-{number}" }.Start();
    }

    // To be called by a running worker, so that the session cannot end meanwhile.
    private void StartSpare()
    {
        lock (_gate)
        {
            if (_started >= _workers + SpareWorkersMax || Volatile.Read(ref _idle) > 0)
                return;
            Interlocked.Increment(ref _running);
            Interlocked.Increment(ref _idle);
            Start(CloneChannel());
        }
    }

    private IFuseChannel CloneChannel()
    {
        lock (_gate)
        {
            if (_first.TryClone() is not { } channel)
                return _first;
            _channels.Add(channel);
            return channel;
        }
    }

    private void Work(IFuseChannel channel)
    {
        var requestBytes = _options.WriteBytesMax + RequestOverheadBytes;
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)(PageBytes + requestBytes), PageBytes);
        try
        {
            using var reply = new FuseReply(_options.ReadBytesMax);
            Serve(channel, new Span<byte>(memory + s_messageStart, requestBytes), reply);
        }
        catch (Exception exception)
        {
            _logger.LogCritical(exception, "A FUSE worker ended: {Message}", exception.Message);
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
            if (Interlocked.Decrement(ref _running) == 0)
                End();
        }
    }

    private void Serve(IFuseChannel channel, Span<byte> buffer, FuseReply reply)
    {
        while (true)
        {
            var received = channel.Receive(buffer);
            if (received <= 0)
            {
                // Still idle, but for looking at what happened.
                if (IsTransient(received))
                    continue;
                if (-received is not (Errno.ENODEV or Errno.ECONNABORTED))
                    _logger.LogError("Reading the FUSE device failed: {Reason}", Marshal.GetPInvokeErrorMessage(-received));
                return;
            }

            var request = buffer[..received];
            if (Interlocked.Decrement(ref _idle) == 0 && FuseDispatcher.MayWait(request))
                StartSpare();
            var message = _dispatcher.Dispatch(request, reply);
            var sent = message.IsEmpty ? 0 : channel.Send(message);
            Interlocked.Increment(ref _idle);
            // ENOENT: whoever asked was killed meanwhile. ENODEV shows again, and is dealt with, at the next receive.
            if (sent < 0 && -sent is not (Errno.ENOENT or Errno.ENODEV or Errno.ECONNABORTED or Errno.EINTR))
                _logger.LogError("A FUSE reply was refused: {Reason}", Marshal.GetPInvokeErrorMessage(-sent));
        }
    }

    // ENOENT: the request was taken back between waking up and reading it. 0 bytes never come from a real device.
    private static bool IsTransient(int received) => -received is Errno.EINTR or Errno.EAGAIN or Errno.ENOENT;

    private void End()
    {
        lock (_notifyGate)
        {
            foreach (var channel in _channels)
                channel.Dispose();
            _ended.TrySetResult();
        }
    }
}
