// Tells Windows what other mounts of the PFS change (contract D.7): a second drive of this process, or a verb that runs in it. The driver reports
// by itself what came through this drive. Invariants: called by the follower's thread, never by a callback, and only while the volume is mounted;
// paths are full ones, with the mount point; what has no path any more is not reported. Calls the engine and the names.

using Hammer2.Dokan.Names;
using Hammer2.Engine.Pfs;
using Microsoft.Extensions.Logging;

namespace Hammer2.Dokan.Mounting;

/// <summary>What Windows can be told; false when it does not take it.</summary>
internal interface INotifications
{
    /// <summary>A name is there now.</summary>
    bool Created(string path, bool isDirectory);

    /// <summary>A name is gone.</summary>
    bool Deleted(string path, bool isDirectory);

    /// <summary>Content or attributes are others.</summary>
    bool Updated(string path);
}

/// <summary>Turns changes into notifications.</summary>
internal sealed class ChangeNotifier(PfsMount pfs, string mountPoint, INotifications windows, ILogger log)
{
    private readonly string _root = mountPoint.TrimEnd('\\');

    /// <summary>One change.</summary>
    internal void Deliver(PfsEvent change)
    {
        bool isDirectory = change.Type == Engine.Format.ObjectType.Directory;
        string? path = change.Kind == PfsEventKind.Updated ? PathOf(change.InodeNumber) : PathOf(change.Directory);
        if (path is null)
            return;
        if (change.Kind != PfsEventKind.Updated)
            path = $"{path}\\{NameMapping.ToWindows(change.Name.Span)}";
        bool taken = change.Kind switch
        {
            PfsEventKind.Added => windows.Created(path, isDirectory),
            PfsEventKind.Removed => windows.Deleted(path, isDirectory),
            _ => windows.Updated(path.Length == _root.Length ? _root + "\\" : path),
        };
        if (!taken)
            log.LogDebug("Windows did not take the news of {Path}", path);
    }

    private string? PathOf(ulong inodeNumber) => pfs.TryFindPath(inodeNumber) is { } names
        ? string.Concat(names.Select(static name => "\\" + NameMapping.ToWindows(name)).Prepend(_root))
        : null;
}
