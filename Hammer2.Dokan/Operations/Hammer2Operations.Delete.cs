// Deletion (dokan-semantics A.2, A.11, D.1, D.2): asked for in DeleteFile or by an option of the open, done in the Cleanup
// of the last handle.
// Invariants: what goes is the one name by which the object was opened, and only if it still leads to the object; other
// names, and handles and mapped pages that are still in use, keep it alive; never recursive; nothing goes that nobody asked
// for, and what was asked for goes even if the driver says so with a handle of another file. Who agreed to a deletion keeps
// the promise: nothing new is made in a directory that is marked.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;
using Microsoft.Extensions.Logging;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
    {
        try
        {
            if (OpenOf(ref info) is not { } open)
                return;
            try
            {
                if (info.DeletePending)
                    Remove(open, fileNamePtr);
                else if (open.DeleteOnClose)
                    _opens.Mark(open, NameOf(fileNamePtr)); // Others have it open; the last of them deletes.
            }
            finally
            {
                _opens.CleanUp(open);
            }
        }
        catch (Exception thrown)
        {
            Fault(nameof(Cleanup), fileNamePtr, thrown);
        }
    }

    /// <inheritdoc />
    public NtStatus DeleteFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        MayDelete(nameof(DeleteFile), fileNamePtr, ref info);

    /// <inheritdoc />
    public NtStatus DeleteDirectory(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        MayDelete(nameof(DeleteDirectory), fileNamePtr, ref info);

    private NtStatus MayDelete(string callback, ReadOnlyNativeMemory<char> fileName, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            lock (_names)
            {
                NtStatus status = info.DeletePending ? MayDelete(open, fileName) : NtStatus.Success;
                if (status == NtStatus.Success && info.DeletePending)
                    _opens.Mark(open, NameOf(fileName));
                else if (status == NtStatus.Success)
                    _opens.Unmark(open);
                return status;
            }
        }
        catch (Exception thrown)
        {
            return Fault(callback, fileName, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private NtStatus MayDelete(OpenFile open, ReadOnlyNativeMemory<char> fileName)
    {
        if (open.IsRoot)
            return NtStatus.CannotDelete;
        if (!_isWritable)
            return Status.MediaWriteProtected;
        if (IsNameBelow(open, fileName))
            return NtStatus.CannotDelete;
        InodeAttributes now = open.Named.GetAttributes();
        if (BsdFlags.Forbid(now.UserFlags, BsdFlags.Fixed | BsdFlags.NoUnlink)
            || (open.Kind == TargetKind.File && open.Link is null && (WindowsAttributes.Stored(now) & FileAttributes.ReadOnly) != 0))
        {
            return NtStatus.CannotDelete;
        }

        return open.Kind == TargetKind.Directory && !IsEmpty(open.Vnode) ? NtStatus.DirectoryNotEmpty : NtStatus.Success;
    }

    /// <summary>Removes the name of an open. There is nobody to tell what goes wrong but the log.</summary>
    private void Remove(OpenFile open, ReadOnlyNativeMemory<char> fileName)
    {
        if (!_gate.TryEnter())
            return;
        try
        {
            lock (_names)
            {
                if (_isWritable && !open.IsRoot && !IsNameBelow(open, fileName))
                {
                    if (_opens.IsDeletionAsked(open))
                        RemoveAsked(open);
                    else if (!RemoveOther(fileName))
                        LogUnasked(open, fileName);
                    return;
                }

                LogUnasked(open, fileName);
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void RemoveAsked(OpenFile open)
    {
        Hammer2Error error = RemoveName(open.Place, open.Named);
        if (error == Hammer2Error.None)
            _opens.Unmark(open);
        else
            _log.LogWarning("{Path} was not deleted: {Error}", open.Path, error);
    }

    /// <summary>
    /// The driver deletes by block, and a block may hold opens of two files: of one that is listed or watched and had the name
    /// before an ancestor was renamed, of one that was renamed while another open was under way. Then the last handle may be
    /// one of the file that nobody wants deleted, and what goes is the other.
    /// </summary>
    private bool RemoveOther(ReadOnlyNativeMemory<char> fileName)
    {
        if (!_opens.TryTakeAsked(NameOf(fileName), out ulong inodeNumber, out NamePlace? place) || !TryOpenVnode(inodeNumber, out Vnode? target))
            return false;
        using (target)
        {
            Hammer2Error error = RemoveName(place!, target!);
            if (error != Hammer2Error.None)
                _log.LogWarning("{Path} was not deleted: {Error}", place!.Path, error);
            return true;
        }
    }

    private void LogUnasked(OpenFile open, ReadOnlyNativeMemory<char> fileName) =>
        _log.LogWarning("Cleanup asks to delete {Path} through a handle on {Open}; nothing is deleted",
            fileName.IsNull ? "(nothing)" : fileName.Span.ToString(), open.Path);

    private static ReadOnlySpan<char> NameOf(ReadOnlyNativeMemory<char> fileName) => fileName.IsNull ? [] : fileName.Span;

    /// <summary>Takes one name away, under the lock of the names.</summary>
    private Hammer2Error RemoveName(NamePlace place, Vnode target)
    {
        if (!TryOpenVnode(place.ParentInode, out Vnode? parent))
            return Hammer2Error.NotFound;
        using (parent)
        {
            InodeAttributes last = target.GetAttributes();
            using (FoldIndexCache.DirectoryChange change = _indexes.Change(place.ParentInode))
            {
                Hammer2Error error = _pfs.TryRemoveName(parent!, place.Name, target);
                if (error != Hammer2Error.None)
                    return error;
                change.Removed(place.Name);
                change.Complete();
                NoteNameChange();
            }

            if (last.Type == Engine.Format.ObjectType.Directory)
                _indexes.Drop(last.InodeNumber);
            else if (last.Type == Engine.Format.ObjectType.File)
                _tunnel.Remember(place.ParentInode, place.Name, TunneledFacts.Of(last));
            return Hammer2Error.None;
        }
    }

    /// <summary>
    /// Is the name that the driver gives one below the open? It is when the library, refused by somebody, opened the parent
    /// and calls it the file (A.1). Otherwise the name proves nothing: a rename that runs at the same time, and one of an
    /// ancestor, leave old names in the driver.
    /// </summary>
    private static bool IsNameBelow(OpenFile open, ReadOnlyNativeMemory<char> fileName)
    {
        if (fileName.IsNull)
            return true;
        ReadOnlySpan<char> given = fileName.Span;
        string path = open.Path;
        return given.Length > path.Length && given[path.Length] == '\\' && FoldTable.Same(given[..path.Length], path);
    }

    private static bool IsEmpty(Vnode directory)
    {
        var batch = new DirectoryBatch(1) { WithAttributes = false, WithDots = false };
        ulong position = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            if (batch.Count > 0 || batch.Damage.Count > 0)
                return false;
            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
        return true;
    }
}
