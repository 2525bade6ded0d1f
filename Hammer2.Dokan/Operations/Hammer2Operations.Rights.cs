// Who may do what (dokan-semantics E.5, G.4). The driver checks nothing against descriptors: what is granted here is
// granted, when something is opened, made, or gets another place.
// Invariants: a descriptor always has owner, group and DACL; storing one that cannot be stored succeeds, because installers,
// the recycle bin and ReplaceFile insist on it. Calls IRights.

using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus GetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, out FileSystemSecurity? security, AccessControlSections sections,
        ref DokanFileInfo info)
    {
        security = null;
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            bool isDirectory = open.Kind == TargetKind.Directory;

            // Whatever parts are asked for: the whole is always valid, and a query for the empty SACL finds none.
            security = _securityFromBytes(_rights.DescriptorOf(AttributesOf(open), isDirectory), isDirectory);
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(GetFileSecurity), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public NtStatus SetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, FileSystemSecurity security, AccessControlSections sections,
        ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            if (!_isWritable)
                return Status.MediaWriteProtected;
            return _rights.AsksWho ? SetSecurity(open, BytesOfSecurity(security), sections) : NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(SetFileSecurity), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private NtStatus SetSecurity(OpenFile open, byte[] bytes, AccessControlSections sections)
    {
        if (!SecurityDescriptorBytes.TryParse(bytes, out ParsedDescriptor parsed))
            return NtStatus.InvalidParameter;
        var named = new ParsedDescriptor(
            (sections & AccessControlSections.Owner) != 0 ? parsed.Owner : null,
            (sections & AccessControlSections.Group) != 0 ? parsed.Group : null,
            (sections & AccessControlSections.Access) != 0 ? parsed.Dacl : null);
        Hammer2Error error = _rights.Change(open.Vnode.GetAttributes(), named) is { } changes
            ? open.Vnode.TrySetAttributes(changes)
            : Hammer2Error.None;
        return ErrorStatus.Of(error);
    }

    /// <summary>May an object that exists be opened in this way?</summary>
    private NtStatus CheckRights(OpenFile open, in CreateRequest request, ref DokanFileInfo info)
    {
        if (!_rights.AsksWho)
            return NtStatus.Success;
        FileAccess wanted = open.Access | (request.DeleteOnClose ? FileAccess.Delete : 0);
        if (TryGetAttributes(open.Place.ParentInode, out InodeAttributes parent) != Hammer2Error.None)
            parent = default;
        open.Who = WhoAsks(ref info);
        return _rights.Grants(wanted, open.AtOpen, parent, open.Who) ? NtStatus.Success : Status.Denied(request.Access);
    }

    /// <summary>May the one who opened a file take the name of another object away, to give it to that file? The driver says who
    /// asks only in CreateFile.</summary>
    private bool MayTakeName(OpenFile open, ulong directory, in InodeAttributes replaced) =>
        !_rights.AsksWho
        || (TryGetAttributes(directory, out InodeAttributes parent) == Hammer2Error.None
            && _rights.Grants(FileAccess.Delete, replaced, parent, open.Who));

    /// <summary>May something be made in a directory?</summary>
    private NtStatus CheckRightToAdd(Vnode parent, in CreateRequest request, ref DokanFileInfo info)
    {
        if (!_rights.AsksWho)
            return NtStatus.Success;
        FileAccess wanted = request.DirectoryRequired ? FileAccess.AppendData : FileAccess.WriteData;
        return _rights.Grants(wanted, parent.GetAttributes(), default, WhoAsks(ref info))
            ? NtStatus.Success
            : Status.Denied(request.Access);
    }
}
