// What this is: the threads that serve one FUSE connection until the kernel ends it.
// Invariants: each worker owns its buffers and, where the kernel allows it, its own end of the connection; a worker ends only
// when the connection ends; the session has ended when the last worker has. Ends of the connection are closed by the session
// after the last worker stopped using them.
// Layers: IFuseChannel, FuseDispatcher.

using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Sessions;

/// <summary>Serves a connection with several workers.</summary>
internal sealed class FuseSession
{
    // What the kernel demands of a request buffer besides the payload of a WRITE: headers, and room for the largest INIT.
    private const int RequestOverheadBytes = 8192;

    private readonly FuseDispatcher _dispatcher;
    private readonly FuseDispatcherOptions _options;
    private readonly ILogger _logger;
    private readonly IFuseChannel _first;
    private readonly List<IFuseChannel> _channels;
    private readonly Thread[] _threads;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;

    /// <summary>Prepares a session over one open channel, which it owns from now on.</summary>
    public FuseSession(
        IFuseChannel channel, FuseDispatcher dispatcher, FuseDispatcherOptions options, int workers, ILogger logger)
    {
        _first = channel;
        _channels = [channel];
        _dispatcher = dispatcher;
        _options = options;
        _logger = logger;
        _threads = new Thread[workers];
    }

    /// <summary>Completes when the kernel has ended the connection and no worker runs any more.</summary>
    public Task Ended => _ended.Task;

    /// <summary>
    /// The number of workers a machine gets unless told otherwise: a few more than processors, since some wait for
    /// disks.
    /// </summary>
    public static int DefaultWorkers => Math.Clamp(Environment.ProcessorCount + 2, 2, 16);

    /// <summary>Starts the workers. To be called once the connection is mounted: only then can it be cloned.</summary>
    public void Start()
    {
        _running = _threads.Length;
        for (var i = 0; i < _threads.Length; i++)
        {
            var channel = i == 0 ? _first : _first.TryClone();
            if (channel is null)
                channel = _first;
            else if (i > 0)
                _channels.Add(channel);
            _threads[i] = new Thread(() => Work(channel)) { IsBackground = true, Name = $"hammer2-fuse-{i}" };
            _threads[i].Start();
        }
    }

    private unsafe void Work(IFuseChannel channel)
    {
        var requestBytes = _options.WriteBytesMax + RequestOverheadBytes;
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)requestBytes, 4096);
        try
        {
            using var reply = new FuseReply(_options.ReadBytesMax);
            Serve(channel, new Span<byte>(memory, requestBytes), reply);
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
                if (IsTransient(received))
                    continue;
                if (-received is not (Errno.ENODEV or Errno.ECONNABORTED))
                    _logger.LogError("Reading the FUSE device failed: {Reason}", Marshal.GetPInvokeErrorMessage(-received));
                return;
            }

            var message = _dispatcher.Dispatch(buffer[..received], reply);
            if (message.IsEmpty)
                continue;
            var sent = channel.Send(message);
            // ENOENT: whoever asked was killed meanwhile. ENODEV shows again, and is dealt with, at the next receive.
            if (sent < 0 && -sent is not (Errno.ENOENT or Errno.ENODEV or Errno.ECONNABORTED or Errno.EINTR))
                _logger.LogError("A FUSE reply was refused: {Reason}", Marshal.GetPInvokeErrorMessage(-sent));
        }
    }

    // ENOENT: the request was taken back between waking up and reading it. 0 bytes never come from a real device.
    private static bool IsTransient(int received) => -received is Errno.EINTR or Errno.EAGAIN or Errno.ENOENT;

    private void End()
    {
        foreach (var channel in _channels)
            channel.Dispose();
        _ended.TrySetResult();
    }
}
