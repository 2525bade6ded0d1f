// The Windows front end proper: DokanNet's callbacks over one opened PFS.
// Invariants: no exception leaves a callback; Context is assigned once, in a CreateFile that succeeds, and stays usable
// after Cleanup; AccessDenied is never answered when Delete was asked; nothing here touches the mounted volume itself or
// waits for another callback. Names change under one lock; what only looks at them takes none. Partial by concern: Create,
// Make, Delete, Move, Read, Write, Set, Find, Volume, Rights. Calls the rooms of this project and the engine.

using System.Runtime.Versioning;
using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Pfs;
using LTRData.Extensions.Native.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Dokan.Operations;

/// <summary>A PFS as Dokan operations.</summary>
[SupportedOSPlatform("windows")]
internal sealed partial class Hammer2Operations : IDokanOperations2, IDisposable
{
    /// <summary>How long Unmounted waits for callbacks that still run.</summary>
    private static readonly TimeSpan s_drainPatience = TimeSpan.FromSeconds(30);

    private readonly PfsMount _pfs;
    private readonly ILogger _log;
    private readonly TimeProvider _clock;
    private readonly bool _hideDotFiles;
    private readonly bool _failDamagedListings;
    private readonly bool _caseSensitive;
    private readonly FoldIndexCache _indexes;
    private readonly PathResolver _paths;
    private readonly LinkResolver _links;
    private readonly VolumeFacts _facts;
    private readonly IRights _rights;
    private readonly Func<byte[], bool, FileSystemSecurity?> _securityFromBytes;
    private readonly CreateRules _rules;
    private readonly ObjectMemory _memory = new();
    private readonly NameTunnel _tunnel;
    private readonly OpenTable _opens;
    private readonly bool _isWritable;

    /// <summary>Held by whoever changes names, so that what he looked at stays until he is done.</summary>
    private readonly Lock _names = new();
    private long _nameChanges;
    private readonly OperationGate _gate = new();
    private readonly ManualResetEventSlim _mounted = new(initialState: false);
    private volatile string? _mountPoint;

    /// <summary>Prepares the callbacks; nothing is mounted yet.</summary>
    /// <param name="pfs">What to show. It stays the caller's, who closes it after Unmounted.</param>
    /// <param name="options">Options of the mount.</param>
    /// <param name="ownerSid">Who owns everything in Windows' eyes.</param>
    /// <param name="securityFromBytes">Puts descriptor bytes into the class of Windows; a test that runs elsewhere
    /// has another.</param>
    internal Hammer2Operations(
        PfsMount pfs, DokanMountOptions options, string ownerSid, Func<byte[], bool, FileSystemSecurity?> securityFromBytes)
    {
        _pfs = pfs;
        _log = options.Logger ?? NullLogger.Instance;
        _clock = options.Clock;
        _hideDotFiles = options.HideDotFiles;
        _failDamagedListings = options.FailDamagedListings;
        _caseSensitive = options.CaseSensitive;
        _isWritable = pfs.Volume.IsWritable && options.Rights != RightsMode.DenyWrite;
        _rules = new CreateRules(_isWritable);
        _tunnel = new NameTunnel(options.Clock);
        _opens = new OpenTable(options.CaseSensitive);
        _indexes = new FoldIndexCache(pfs, options.NameIndexBytesMax, options.CaseSensitive);
        _paths = new PathResolver(pfs, _indexes);
        _links = new LinkResolver(pfs);
        _facts = new VolumeFacts(pfs.Info.Label, pfs.Info.FileSystemId, options, _isWritable);
        _rights = options.Rights == RightsMode.Posix ? new PosixRights(options.Owners) : new UserRights(ownerSid);
        _securityFromBytes = securityFromBytes;
    }

    /// <summary>Who made a request; asked while CreateFile runs.</summary>
    internal delegate Requestor? RequestorSource(ref DokanFileInfo info);

    /// <summary>Takes the bytes out of the class of Windows; a test that runs elsewhere has another.</summary>
    internal Func<FileSystemSecurity, byte[]> BytesOfSecurity { get; init; } = WindowsSecurity.ToBytes;

    /// <summary>Says who makes a request; a test that runs elsewhere has another.</summary>
    internal RequestorSource WhoAsks { get; init; } = WindowsSecurity.RequestorOf;

    /// <inheritdoc />
    public int DirectoryListingTimeoutResetIntervalMs => 5000;

    /// <summary>Opens that were neither closed nor released by Unmounted.</summary>
    internal int OpenCount => _opens.Count;

    /// <summary>The fold indexes, for measurements.</summary>
    internal FoldIndexCache Indexes => _indexes;

    /// <summary>Does the mount take changes?</summary>
    internal bool IsWritable => _isWritable;

    /// <summary>The mount point that Windows gave, once it is known.</summary>
    internal string? MountPoint => _mountPoint;

    /// <inheritdoc />
    public NtStatus Mounted(ReadOnlyNativeMemory<char> mountPoint, ref DokanFileInfo info)
    {
        try
        {
            _mountPoint = mountPoint.Span.ToString();
            _mounted.Set();
            _log.LogInformation("PFS {Label} is mounted at {MountPoint}", _pfs.Info.Label, _mountPoint);
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(Mounted), default, thrown);
        }
    }

    /// <summary>Waits until Windows says where the volume is.</summary>
    internal bool WaitForMounted(TimeSpan patience) => _mounted.Wait(patience);

    /// <inheritdoc />
    public NtStatus Unmounted(ref DokanFileInfo info)
    {
        try
        {
            if (!_gate.Close(s_drainPatience))
            {
                // Releasing what a callback still uses would be worse than keeping it until the process ends.
                _log.LogError("Unmount: callbacks still run after {Seconds} s; {Count} opens are kept",
                    s_drainPatience.TotalSeconds, _opens.Count);
                return NtStatus.Success;
            }

            int released = 0;
            foreach (OpenFile open in _opens.All)
            {
                if (released < 20)
                    _log.LogWarning("Unmount: {Path} was still open", open.Path);
                if (_opens.Release(open))
                    released++;
            }

            _indexes.Dispose();
            if (_isWritable)
                _pfs.Volume.Sync();
            _log.LogInformation("PFS {Label} is unmounted; {Count} opens were released", _pfs.Info.Label, released);
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(Unmounted), default, thrown);
        }
    }

    /// <summary>Releases what the operations themselves hold; after Unmounted.</summary>
    public void Dispose()
    {
        _mounted.Dispose();
        _gate.Dispose();
    }

    /// <summary>How many times a name went or led elsewhere through this mount.</summary>
    private long NameChanges => Interlocked.Read(ref _nameChanges);

    /// <summary>Under the lock of the names, after the name index shows the change: who sees the new count finds the new name,
    /// and who saw the old one looks again.</summary>
    private void NoteNameChange() => Interlocked.Increment(ref _nameChanges);

    /// <summary>The open of a handle, or null when the driver has none.</summary>
    private static OpenFile? OpenOf(ref DokanFileInfo info) => info.Context as OpenFile;

    private bool IsHidden(ReadOnlySpan<char> shownName) => _hideDotFiles && shownName.StartsWith(".");

    /// <summary>The end of every exception: logged, and turned into a status.</summary>
    private NtStatus Fault(string callback, ReadOnlyNativeMemory<char> name, Exception thrown)
    {
        NtStatus status = ErrorStatus.Of(thrown);
        try
        {
            string path = name.IsNull ? "(volume)" : name.Span.ToString();
            _log.LogError(
                thrown, "{Callback} of {Path} failed with {Status:X8}: {Message}", callback, path, (long)status, thrown.Message);
        }
        catch (Exception unloggable)
        {
            // A logger that throws must not take the answer with it; there is nowhere left to say so.
            GC.KeepAlive(unloggable);
        }

        return status;
    }
}
