// Opening and closing (dokan-semantics A.1, A.3, section C).
// Invariants: the access mask is expanded first; the order is name syntax, parents, look-up, type, disposition, deletion
// that is pending, sharing; an open that fails holds nothing and leaves no context; IsDirectory is set whenever the object
// is one. A name that led elsewhere while it was being opened is opened anew.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus CreateFile(
        ReadOnlyNativeMemory<char> fileNamePtr, FileAccess access, FileShare share, FileMode mode, FileOptions options,
        FileAttributes attributes, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            var request = new CreateRequest(AccessMask.Expand(access), share, mode, options, attributes, info.IsDirectory);
            return Create(fileNamePtr.Span, request, ref info);
        }
        catch (Exception thrown)
        {
            NtStatus status = Fault(nameof(CreateFile), fileNamePtr, thrown);
            return status == NtStatus.CrcError ? Status.FileCorruptError : status;
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public void CloseFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
    {
        try
        {
            if (OpenOf(ref info) is { } open)
                _opens.Release(open);
        }
        catch (Exception thrown)
        {
            Fault(nameof(CloseFile), fileNamePtr, thrown);
        }
    }

    private NtStatus Create(ReadOnlySpan<char> path, in CreateRequest request, ref DokanFileInfo info)
    {
        var timer = new RequestTimer(_clock);
        while (true)
        {
            long names = NameChanges;
            NtStatus status = _paths.Resolve(path, ref info, ref timer, out ResolvedPath resolved);
            bool settled;
            if (status == NtStatus.Success)
                settled = TryOpenExisting(path, resolved, request, names, ref info, out status);
            else if (status != NtStatus.ObjectNameNotFound)
                settled = true;
            else if ((status = _rules.Missing(request)) != NtStatus.Success)
                settled = true;
            else
                settled = TryMake(path, resolved.ParentInode, request, ref info, ref timer, out status);
            if (settled)
                return status;
            timer.Extend(ref info);
        }
    }

    /// <summary>Opens what a name leads to.</summary>
    /// <returns>False when the name leads elsewhere by now.</returns>
    private bool TryOpenExisting(
        ReadOnlySpan<char> path, in ResolvedPath resolved, in CreateRequest request, long names, ref DokanFileInfo info,
        out NtStatus status)
    {
        if (request.Mode == FileMode.CreateNew)
        {
            // Also for an object that is too damaged to be opened.
            status = _opens.IsDeletePending(resolved.InodeNumber, path.ToString()) ? NtStatus.DeletePending : NtStatus.ObjectNameCollision;
            return true;
        }

        status = NtStatus.Success;
        if (!TryOpenVnode(resolved.InodeNumber, out Vnode? vnode))
        {
            // Who takes the last name away counts it after the inode is gone, but before letting go of the lock.
            lock (_names)
            {
                if (NameChanges != names)
                    return false;
            }

            throw new Hammer2Exception(
                Hammer2Error.Corrupt, $"a name refers to inode {resolved.InodeNumber}, which does not exist");
        }

        OpenFile open = Describe(path, resolved, request, vnode!);
        bool keep = false;
        try
        {
            FileAttributes attributes = FileRecord.Of(open.Kind, open.AtOpen, default, hidden: false).Attributes;
            CreateVerdict verdict = _rules.Existing(request, new CreateTarget(open.Kind, attributes, open.IsRoot));
            status = verdict.Status;
            if (verdict.Act == CreateAct.Refuse)
                return true;
            status = CheckRights(open, request, ref info);
            if (status == NtStatus.Success)
                status = _opens.Enter(open);
            if (status != NtStatus.Success)
                return true;
            keep = true;
            if (NameChanges != names && !LeadsTo(path, open))
            {
                _opens.Release(open);
                return false;
            }

            status = verdict.Act == CreateAct.Overwrite ? Overwrite(open, request.Attributes) : NtStatus.Success;
            if (status != NtStatus.Success)
            {
                _opens.Release(open);
                return true;
            }

            info.IsDirectory = open.Kind == TargetKind.Directory;
            info.Context = open;
            status = verdict.Status;
            return true;
        }
        finally
        {
            if (!keep)
                open.Dispose();
        }
    }

    /// <summary>The open of an object by a name. Takes over the vnode.</summary>
    private OpenFile Describe(ReadOnlySpan<char> path, in ResolvedPath resolved, in CreateRequest request, Vnode vnode)
    {
        Vnode? link = null;
        bool keep = false;
        try
        {
            byte[]? text = null;
            if (vnode.Type == ObjectType.Symlink)
            {
                text = vnode.ReadLink();
                if (_links.TryFollow(resolved.ParentInode, text, out InodeAttributes target)
                    && TryOpenVnode(target.InodeNumber, out Vnode? followed))
                {
                    (link, vnode) = (vnode, followed!);
                    text = null;
                }
            }

            var open = new OpenFile(new NamePlace(resolved.ParentInode, resolved.Name, path.ToString()))
            {
                Vnode = vnode,
                Link = link,
                Kind = FileRecord.KindOf(vnode.Type),
                LinkText = text,
                AtOpen = vnode.GetAttributes(),
                Access = request.Mode is FileMode.Create or FileMode.Truncate ? request.Access | FileAccess.WriteData : request.Access,
                Share = request.Share,
                DeleteOnClose = request.DeleteOnClose,
                WriteThrough = request.WriteThrough,
            };
            keep = true;
            return open;
        }
        finally
        {
            if (!keep)
            {
                vnode.Dispose();
                link?.Dispose();
            }
        }
    }

    /// <summary>Does a path lead to an open's object under the name that the open has? Asked when names changed meanwhile.</summary>
    private bool LeadsTo(ReadOnlySpan<char> path, OpenFile open)
    {
        lock (_names)
        {
            var timer = new RequestTimer(_clock);
            DokanFileInfo none = default;
            return _paths.Resolve(path, ref none, ref timer, out ResolvedPath now) == NtStatus.Success
                && now.InodeNumber == open.Named.InodeNumber
                && open.Place.IsSameEntry(new NamePlace(now.ParentInode, now.Name, open.Path));
        }
    }

    /// <summary>Empties a file that is open: inode, owner, links and creation time stay, the attributes add up.</summary>
    private static NtStatus Overwrite(OpenFile open, FileAttributes attributes)
    {
        FileAttributes wanted = WindowsAttributes.Stored(open.AtOpen) | FileAttributes.Archive
            | (attributes & (FileAttributes.ReadOnly | FileAttributes.Hidden | FileAttributes.System));
        AttributeChanges changes = (WindowsAttributes.Change(open.AtOpen, wanted) ?? default) with { Size = 0 };
        Hammer2Error error = open.Vnode.TrySetAttributes(changes);
        return error == Hammer2Error.NotPermitted ? Status.Denied(open.Access) : ErrorStatus.Of(error);
    }

    /// <returns>False when there is no such inode (any more).</returns>
    private bool TryOpenVnode(ulong inodeNumber, out Vnode? vnode)
    {
        Hammer2Error error = _pfs.TryOpen(inodeNumber, out vnode);
        if (error == Hammer2Error.NotFound)
            return false;
        if (error != Hammer2Error.None || vnode is null)
            throw new Hammer2Exception(error, $"inode {inodeNumber} cannot be opened: {error}");
        return true;
    }
}
