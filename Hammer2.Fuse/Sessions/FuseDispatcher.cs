// What this is: decodes a request, calls the filesystem, encodes the reply.
// Invariants: a request gets exactly one reply, except those the protocol gives none (FORGET, BATCH_FORGET, INTERRUPT); what
// cannot be decoded is answered EINVAL, what is unknown ENOSYS; no exception leaves Dispatch.
// Reading and writing allocate nothing here. Thread-safe: each worker brings its own reply buffer.
// What changes something is decoded in FuseDispatcher.Changes.cs.
// Layers: Protocol, IFuseFileSystem.

using System.Runtime.CompilerServices;
using Hammer2.Fuse.Protocol;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Sessions;

/// <summary>Routes requests to an <see cref="IFuseFileSystem"/>.</summary>
internal sealed partial class FuseDispatcher(IFuseFileSystem fileSystem, FuseDispatcherOptions options, ILogger logger)
{
    /// <summary>How many request codes are counted one by one; others share slot 0.</summary>
    public const int CountedOpcodes = 64;

    private const int NoReply = -1;
    private const uint AccessModeMask = 3;

    // A target fills at most one page with its NUL: the kernel refuses longer ones.
    private const int LinkTargetMax = 4095;

    // Times of the medium are microseconds; the kernel cuts what it sets itself to the same.
    private const uint TimeGranularityNs = 1000;
    private readonly long[] _counts = new long[CountedOpcodes];
    private readonly TaskCompletionSource _initialized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _refusing;
    private int _active;

    /// <summary>Completes when the kernel and this side agreed on a protocol.</summary>
    public Task Initialized => _initialized.Task;

    /// <summary>The minor protocol version agreed on; 0 before INIT.</summary>
    public uint NegotiatedMinor { get; private set; }

    /// <summary>
    /// From now on every request is answered EIO without asking the filesystem, which is going away. Returns true once no
    /// request is with the filesystem any more, false if that takes longer than the deadline.
    /// </summary>
    public bool Refuse(TimeSpan deadline)
    {
        _refusing = true;
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _active) == 0)
            _drained.TrySetResult();
        return _drained.Task.Wait(deadline);
    }

    /// <summary>How many requests of one kind arrived.</summary>
    public long CountOf(FuseOpcode opcode) => Interlocked.Read(ref _counts[SlotOf(opcode)]);

    /// <summary>Handles one message. Returns the reply to send, or an empty span if there is none to be sent.</summary>
    public ReadOnlySpan<byte> Dispatch(ReadOnlySpan<byte> message, FuseReply reply)
    {
        if (!FuseRequest.TryParse(message, out var request))
        {
            logger.LogWarning("A FUSE message of {Length} bytes is not a request; it is ignored.", message.Length);
            return default;
        }

        Interlocked.Increment(ref _counts[SlotOf(request.Header.Opcode)]);
        var length = 0;
        int errno;
        Interlocked.Increment(ref _active);
        try
        {
            errno = _refusing ? Refusal(request.Header.Opcode) : Route(request, reply, out length);
        }
        catch (Exception exception)
        {
            logger.LogError(exception, "FUSE request {Opcode} of node {Node} failed: {Message}",
                request.Header.Opcode, request.Header.NodeId, exception.Message);
            errno = HasReply(request.Header.Opcode) ? Errno.EIO : NoReply;
        }
        finally
        {
            if (Interlocked.Decrement(ref _active) == 0 && _refusing)
                _drained.TrySetResult();
        }

        return errno == NoReply ? default : reply.Finish(request.Header.Unique, errno, length);
    }

    /// <summary>True if handling a message may take long: until a disk has answered, or until others made room in memory.</summary>
    public static bool MayWait(ReadOnlySpan<byte> message) => FuseRequest.TryParse(message, out var request)
        && request.Header.Opcode is FuseOpcode.Write or FuseOpcode.FSync or FuseOpcode.FSyncDirectory or FuseOpcode.SyncFs
            or FuseOpcode.FAllocate or FuseOpcode.CopyFileRange or FuseOpcode.CopyFileRange64;

    private static int SlotOf(FuseOpcode opcode) => (uint)opcode < CountedOpcodes ? (int)opcode : 0;

    private static bool HasReply(FuseOpcode opcode) =>
        opcode is not (FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.Interrupt or FuseOpcode.NotifyReply);

    private static int Refusal(FuseOpcode opcode) => !HasReply(opcode)
        ? NoReply
        : opcode is FuseOpcode.Release or FuseOpcode.ReleaseDirectory or FuseOpcode.Destroy ? 0 : Errno.EIO;

    private int Route(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        switch (request.Header.Opcode)
        {
            case FuseOpcode.Lookup:
                return Lookup(request, reply, out length);
            case FuseOpcode.GetAttributes:
                length = Unsafe.SizeOf<FuseAttributesOut>();
                return fileSystem.GetAttributes(request.Header.NodeId, ref reply.Prepare<FuseAttributesOut>());
            case FuseOpcode.Statx:
                length = Unsafe.SizeOf<FuseStatxOut>();
                return fileSystem.GetStatx(request.Header.NodeId, ref reply.Prepare<FuseStatxOut>());
            case FuseOpcode.Read:
                return Read(request, reply, out length);
            case FuseOpcode.Write:
                return Write(request, reply, out length);
            case FuseOpcode.ReadDirectory:
                return ReadDirectory(request, reply, plus: false, out length);
            case FuseOpcode.ReadDirectoryPlus:
                return ReadDirectory(request, reply, plus: true, out length);
            case FuseOpcode.Open:
            case FuseOpcode.OpenDirectory:
                return Open(request, reply, out length);
            case FuseOpcode.Release:
            case FuseOpcode.ReleaseDirectory:
                return Release(request);
            case FuseOpcode.ReadLink:
                return fileSystem.ReadLink(request.Header.NodeId, reply.Payload[..LinkTargetMax], out length);
            case FuseOpcode.StatFs:
                length = Unsafe.SizeOf<FuseStatFsOut>();
                return fileSystem.StatFs(ref reply.Prepare<FuseStatFsOut>());
            case FuseOpcode.Access:
                return request.TryRead(out FuseAccessIn access)
                    ? fileSystem.Access(request.Header.NodeId, access.Mask)
                    : Errno.EINVAL;
            default:
                return RouteRare(request, reply, out length);
        }
    }

    private int RouteRare(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        switch (request.Header.Opcode)
        {
            case FuseOpcode.Forget:
            case FuseOpcode.BatchForget:
                Forget(request);
                return NoReply;
            // Requests are short and cannot be interrupted half way; the protocol allows to say nothing.
            case FuseOpcode.Interrupt:
            case FuseOpcode.NotifyReply:
                return NoReply;
            case FuseOpcode.LSeek:
                return Seek(request, reply, out length);
            case FuseOpcode.Init:
                return Initialize(request, reply, out length);
            case FuseOpcode.FSync:
            case FuseOpcode.FSyncDirectory:
                return Sync(request);
            case FuseOpcode.SyncFs:
                return fileSystem.SyncAll();
            case FuseOpcode.IoControl:
                return IoControl(request, reply, out length);
            case FuseOpcode.Destroy:
                return 0;
            case FuseOpcode.Flush:
            case FuseOpcode.GetXattr:
            case FuseOpcode.ListXattr:
            case FuseOpcode.SetXattr:
            case FuseOpcode.RemoveXattr:
                // ENOSYS tells the kernel to stop asking, and it then does the right thing itself: there are no extended
                // attributes; what close(2) has to report, the kernel knows from its page cache.
                return Errno.ENOSYS;
            default:
                return RouteChange(request, reply, out length);
        }
    }

    private int Lookup(in FuseRequest request, FuseReply reply, out int length)
    {
        length = Unsafe.SizeOf<FuseEntryOut>();
        return request.TryReadName(out var name)
            ? fileSystem.Lookup(request.Header.NodeId, name, ref reply.Prepare<FuseEntryOut>())
            : Errno.EINVAL;
    }

    private int Read(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        if (!request.TryRead(out FuseReadIn read))
            return Errno.EINVAL;
        var size = (int)Math.Min(read.Size, (uint)reply.PayloadBytesMax);
        return fileSystem.Read(read.Handle, read.Offset, reply.Payload[..size], out length);
    }

    private int ReadDirectory(in FuseRequest request, FuseReply reply, bool plus, out int length)
    {
        length = 0;
        if (!request.TryRead(out FuseReadIn read))
            return Errno.EINVAL;
        var size = (int)Math.Min(read.Size, (uint)reply.PayloadBytesMax);
        return fileSystem.ReadDirectory(read.Handle, read.Offset, plus, reply.Payload[..size], out length);
    }

    private int Open(in FuseRequest request, FuseReply reply, out int length)
    {
        length = Unsafe.SizeOf<FuseOpenOut>();
        if (!request.TryRead(out FuseOpenIn open))
            return Errno.EINVAL;
        ref var opened = ref reply.Prepare<FuseOpenOut>();
        if (options.ReadOnly && (open.Flags & AccessModeMask) != 0)
            return Errno.EROFS;
        return request.Header.Opcode == FuseOpcode.Open
            ? fileSystem.Open(request.Header.NodeId, open.Flags, ref opened)
            : fileSystem.OpenDirectory(request.Header.NodeId, ref opened);
    }

    private int Release(in FuseRequest request)
    {
        if (!request.TryRead(out FuseReleaseIn release))
            return Errno.EINVAL;
        if (request.Header.Opcode == FuseOpcode.Release)
            fileSystem.Release(release.Handle);
        else
            fileSystem.ReleaseDirectory(release.Handle);
        return 0;
    }

    private int Seek(in FuseRequest request, FuseReply reply, out int length)
    {
        length = Unsafe.SizeOf<FuseLSeekOut>();
        // The kernel does not send what it collected before it asks, so what it was told would be holes that are data. Without
        // an answer it takes the whole file for data.
        if (options.WritebackCache)
            return Errno.ENOSYS;
        return request.TryRead(out FuseLSeekIn seek)
            ? fileSystem.Seek(seek.Handle, seek.Offset, seek.Whence, out reply.Prepare<FuseLSeekOut>().Offset)
            : Errno.EINVAL;
    }

    private int Initialize(in FuseRequest request, FuseReply reply, out int length)
    {
        length = Unsafe.SizeOf<FuseInitOut>();
        if (!request.TryRead(out FuseInitIn init))
            return Errno.EINVAL;
        ref var answer = ref reply.Prepare<FuseInitOut>();
        answer.Major = FuseProtocol.Major;
        answer.Minor = Math.Min(init.Minor, FuseProtocol.Minor);
        if (init.Major > FuseProtocol.Major)
        {
            // The protocol's own rule: name the version we speak, and a newer kernel asks again with that one.
            answer.Minor = FuseProtocol.Minor;
            return 0;
        }

        if (init.Major < FuseProtocol.Major || init.Minor < FuseProtocol.MinorOldest)
        {
            logger.LogError("The kernel speaks FUSE {Major}.{Minor}; at least {Needed}.{NeededMinor} (Linux 5.4) is needed.",
                init.Major, init.Minor, FuseProtocol.Major, FuseProtocol.MinorOldest);
            return Errno.EPROTO;
        }

        const FuseInitFlags Wanted = FuseInitFlags.AsyncRead | FuseInitFlags.ExportSupport | FuseInitFlags.ReadDirectoryPlus
            | FuseInitFlags.ReadDirectoryPlusAuto | FuseInitFlags.ParallelDirectoryOperations | FuseInitFlags.AbortError
            | FuseInitFlags.MaxPages | FuseInitFlags.CacheSymlinks | FuseInitFlags.BigWrites | FuseInitFlags.AsyncDirect;
        answer.Flags = init.Flags & (options.WritebackCache ? Wanted | FuseInitFlags.WritebackCache : Wanted);
        answer.MaxReadAhead = (uint)options.ReadBytesMax;
        answer.MaxBackground = options.BackgroundRequestsMax;
        answer.CongestionThreshold = (ushort)(options.BackgroundRequestsMax * 3 / 4);
        answer.MaxWrite = (uint)options.WriteBytesMax;
        answer.TimeGranularity = TimeGranularityNs;
        answer.MaxPages = (ushort)(Math.Max(options.ReadBytesMax, options.WriteBytesMax) / Environment.SystemPageSize);
        NegotiatedMinor = answer.Minor;
        _initialized.TrySetResult();
        return 0;
    }
}

/// <summary>Sizes that INIT announces.</summary>
internal sealed record FuseDispatcherOptions
{
    /// <summary>Largest READ in bytes; also the readahead window and the room in a reply.</summary>
    public int ReadBytesMax { get; init; } = 1 << 20;

    /// <summary>Largest payload of a WRITE in bytes; also what a request buffer has room for.</summary>
    public int WriteBytesMax { get; init; } = 1 << 20;

    /// <summary>How many asynchronous requests may wait.</summary>
    public ushort BackgroundRequestsMax { get; init; } = 64;

    /// <summary>Nothing that would change anything reaches the filesystem.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>The kernel collects written data (<see cref="FuseInitFlags.WritebackCache"/>).</summary>
    public bool WritebackCache { get; init; }
}
