// The volume as a whole (dokan-semantics A.14, E.3, E.4).
// Invariants: volume queries never fail, with or without a handle, before Mounted or at the end; the numbers are ordered
// and not negative.

using DokanNet;
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
        features = _facts.Features;
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
}
