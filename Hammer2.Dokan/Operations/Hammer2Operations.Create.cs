// Opening and closing (dokan-semantics A.1 to A.3, section C for a read-only volume).
// Invariants: the access mask is expanded first; the order is name syntax, parents, look-up, type, disposition; an open
// that fails holds nothing and leaves no context; IsDirectory is set whenever the object is one.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;
using Microsoft.Extensions.Logging;
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
            var request = new CreateRequest(AccessMask.Expand(access), mode, options, info.IsDirectory);
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
    public void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
    {
        try
        {
            OpenFile? open = OpenOf(ref info);
            open?.CleanUp();
            if (info.DeletePending)
                _log.LogWarning("Cleanup asks to delete {Path} on a read-only volume; nothing is deleted", open?.Path);
        }
        catch (Exception thrown)
        {
            Fault(nameof(Cleanup), fileNamePtr, thrown);
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
        NtStatus status = _paths.Resolve(path, ref info, ref timer, out ResolvedPath resolved);
        if (status == NtStatus.ObjectNameNotFound)
            return CreateRules.Missing(request);
        if (status != NtStatus.Success)
            return status;
        if (request.Mode == FileMode.CreateNew)
            return NtStatus.ObjectNameCollision; // Also for an object that is too damaged to be opened.
        OpenFile open = Open(path, resolved);
        bool keep = false;
        try
        {
            bool isReadOnly = open.Kind == TargetKind.File && FileRecord.IsReadOnly(open.AtOpen);
            var target = new CreateTarget(open.Kind, isReadOnly, open.IsRoot);
            CreateVerdict verdict = CreateRules.Existing(request, target);
            if (!verdict.Opens)
                return verdict.Status;
            info.IsDirectory = open.Kind == TargetKind.Directory;
            info.Context = open;
            _opens.Add(open);
            keep = true;
            return verdict.Status;
        }
        finally
        {
            if (!keep)
                open.Dispose();
        }
    }

    /// <summary>Opens what a path leads to. Throws Hammer2Exception when the object is damaged.</summary>
    private OpenFile Open(ReadOnlySpan<char> path, in ResolvedPath resolved)
    {
        Vnode vnode = OpenVnode(resolved.InodeNumber);
        byte[]? text = null;
        bool keep = false;
        try
        {
            if (vnode.Type == ObjectType.Symlink)
            {
                text = vnode.ReadLink();
                if (_links.TryFollow(resolved.ParentInode, text, out InodeAttributes target))
                {
                    Vnode followed = OpenVnode(target.InodeNumber);
                    vnode.Dispose();
                    vnode = followed;
                    text = null;
                }
            }

            var open = new OpenFile
            {
                Vnode = vnode,
                Kind = FileRecord.KindOf(vnode.Type),
                LinkText = text,
                AtOpen = vnode.GetAttributes(),
                ParentInode = resolved.ParentInode,
                Path = path.ToString(),
                IsHidden = IsHidden(path[(path.LastIndexOf('\\') + 1)..]),
            };
            keep = true;
            return open;
        }
        finally
        {
            if (!keep)
                vnode.Dispose();
        }
    }

    private Vnode OpenVnode(ulong inodeNumber)
    {
        Hammer2Error error = _pfs.TryOpen(inodeNumber, out Vnode? vnode);
        if (error == Hammer2Error.NotFound)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"a name refers to inode {inodeNumber}, which does not exist");
        if (error != Hammer2Error.None || vnode is null)
            throw new Hammer2Exception(error, $"inode {inodeNumber} cannot be opened: {error}");
        return vnode;
    }
}
