// The volume as a whole, and security descriptors (dokan-semantics A.14, A.15, E.3 to E.5).
// Invariants: volume queries never fail, with or without a handle, before Mounted or at the end; the numbers are ordered
// and not negative; descriptors are the constant bytes made at mount time.

using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Pfs;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus GetVolumeInformation(
        NativeMemory<char> volumeLabel, out FileSystemFeatures features, NativeMemory<char> fileSystemName,
        out uint maximumComponentLength, ref uint volumeSerialNumber, ref DokanFileInfo info)
    {
        features = VolumeFacts.Features;
        maximumComponentLength = VolumeFacts.ComponentLengthMax;
        volumeSerialNumber = _facts.SerialNumber;
        try
        {
            volumeLabel.SetString(_facts.Label.AsSpan());
            fileSystemName.SetString(_facts.FileSystemName.AsSpan());
        }
        catch (Exception thrown)
        {
            Fault(nameof(GetVolumeInformation), default, thrown);
        }

        return NtStatus.Success;
    }

    /// <inheritdoc />
    public NtStatus GetDiskFreeSpace(
        out long freeBytesAvailable, out long totalNumberOfBytes, out long totalNumberOfFreeBytes, ref DokanFileInfo info)
    {
        try
        {
            if (_gate.TryEnter())
            {
                try
                {
                    PfsStatistics now = _pfs.GetStatistics();
                    _facts.RememberSpace(now.TotalBytes, now.FreeBytes);
                }
                finally
                {
                    _gate.Exit();
                }
            }
        }
        catch (Exception thrown)
        {
            // An error here shows as "Incorrect function" in Explorer: the last known numbers are better.
            Fault(nameof(GetDiskFreeSpace), default, thrown);
        }

        (totalNumberOfBytes, totalNumberOfFreeBytes) = _facts.Space;
        freeBytesAvailable = totalNumberOfFreeBytes;
        return NtStatus.Success;
    }

    /// <inheritdoc />
    public NtStatus GetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, out FileSystemSecurity? security, AccessControlSections sections,
        ref DokanFileInfo info)
    {
        security = null;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            bool isDirectory = open.Kind == TargetKind.Directory;

            // Whatever parts are asked for: the whole is always valid, and a query for the empty SACL finds none.
            security = _securityFromBytes(isDirectory ? _descriptors.Directory : _descriptors.File, isDirectory);
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(GetFileSecurity), fileNamePtr, thrown);
        }
    }
}
