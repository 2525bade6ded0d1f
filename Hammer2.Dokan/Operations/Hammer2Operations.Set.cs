// Attributes and times (dokan-semantics A.9), and the requests that are never sent (A.13).
// Invariants: bits and times that are not ours to set are ignored with Success; what the medium cannot hold is remembered
// for the time of the mount; a time that a program set is not touched again by what it wrote before.

using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus SetFileAttributes(
        ReadOnlyNativeMemory<char> fileNamePtr, FileAttributes attributes, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            return OpenOf(ref info) is { } open ? SetAttributes(open, attributes) : NtStatus.InvalidHandle;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(SetFileAttributes), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public NtStatus SetFileTime(
        ReadOnlyNativeMemory<char> fileNamePtr, DateTime? creationTime, DateTime? lastAccessTime, DateTime? lastWriteTime,
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
            return SetTimes(open, Utc(creationTime), Utc(lastAccessTime), Utc(lastWriteTime));
        }
        catch (Exception thrown)
        {
            return Fault(nameof(SetFileTime), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    /// <remarks>Byte-range locks stay in the driver; this is not called.</remarks>
    public NtStatus LockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        NtStatus.Success;

    /// <inheritdoc />
    public NtStatus UnlockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        NtStatus.Success;

    private NtStatus SetAttributes(OpenFile open, FileAttributes attributes)
    {
        if (!_isWritable)
            return Status.MediaWriteProtected;
        if (attributes == 0)
            return NtStatus.Success;
        if (open.Kind == TargetKind.Directory && (attributes & FileAttributes.Temporary) != 0)
            return NtStatus.InvalidParameter;
        FileAttributes wanted = attributes & WindowsAttributes.Settable;
        AttributeChanges? change = WindowsAttributes.Change(open.Vnode.GetAttributes(), wanted);
        Hammer2Error error = change is { } changes ? open.Vnode.TrySetAttributes(changes) : Hammer2Error.None;
        if (error != Hammer2Error.None)
            return ErrorStatus.Of(error);
        if (open.Kind == TargetKind.File && change is not null)
            open.IsFirstWrite(); // What is written later on this handle does not bring Archive back against the program's word.
        _memory.SetAttributes(open.Vnode.InodeNumber, wanted & WindowsAttributes.Transient);
        return NtStatus.Success;
    }

    private NtStatus SetTimes(OpenFile open, DateTime? creation, DateTime? access, DateTime? write)
    {
        if (creation is null && access is null && write is null)
            return NtStatus.Success;
        Hammer2Error error = open.Vnode.TrySetAttributes(new AttributeChanges
        {
            BirthTimeUs = creation is { } born ? MediaTime.FromUtc(born) : null,
            AccessTimeUs = access is { } accessed ? MediaTime.FromUtc(accessed) : null,
            ModifyTimeUs = write is { } written ? MediaTime.FromUtc(written) : null,
        });
        if (error == Hammer2Error.None)
            _memory.SetTimes(open.Vnode.InodeNumber, creation, access, write);
        return ErrorStatus.Of(error);
    }

    /// <summary>DokanNet hands over local times.</summary>
    private static DateTime? Utc(DateTime? time) => time?.ToUniversalTime();
}
