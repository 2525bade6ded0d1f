// Volume queries (dokan-semantics A.14, E.3, E.4): at any time, with or without a handle.
// Part of the simulated driver: what the adapter reports is checked, and faults are collected.

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>What a volume says of itself.</summary>
internal sealed record VolumeReport(string Label, string FileSystem, FileSystemFeatures Features, uint ComponentMax, uint Serial);

/// <summary>Space in bytes.</summary>
internal sealed record SpaceReport(long Available, long Total, long Free);

internal sealed partial class SimulatedDriver
{
    private const int VolumeTextUnits = 261;

    /// <summary>The volume's description.</summary>
    internal VolumeReport QueryVolume(SimulatedHandle? handle = null) => OnPump(() =>
    {
        using var label = new GuardedMemory(VolumeTextUnits * sizeof(char), Faults);
        using var system = new GuardedMemory(VolumeTextUnits * sizeof(char), Faults);
        FileSystemFeatures features = 0;
        uint component = 0;
        uint serial = 0;
        NtStatus status = Invoke(
            nameof(IDokanOperations2.GetVolumeInformation), handle, default,
            (ref DokanFileInfo info) => _adapter.GetVolumeInformation(
                label.WritableText, out features, system.WritableText, out component, ref serial, ref info));
        if (status != NtStatus.Success)
            Faults.Add($"GetVolumeInformation failed with {(long)status:X8}");
        if (serial == 0)
            Faults.Add("the volume serial number is 0");
        string text = TextOf("label", label);
        if (text.Length > 32)
            Faults.Add($"the label has {text.Length} units");
        if (_options.WriteProtected)
            features |= FileSystemFeatures.ReadOnlyVolume;
        return new VolumeReport(text, TextOf("file system name", system), features, component, serial);
    });

    /// <summary>The volume's space; the driver cuts it to whole allocation units.</summary>
    internal SpaceReport QuerySpace(SimulatedHandle? handle = null) => OnPump(() =>
    {
        long available = -1;
        long total = -1;
        long free = -1;
        NtStatus status = Invoke(
            nameof(IDokanOperations2.GetDiskFreeSpace), handle, default,
            (ref DokanFileInfo info) => _adapter.GetDiskFreeSpace(out available, out total, out free, ref info));
        if (status != NtStatus.Success)
            Faults.Add($"GetDiskFreeSpace failed with {(long)status:X8}");
        if (available < 0 || free < available || total < free)
            Faults.Add($"space {available} <= {free} <= {total} does not hold");
        return new SpaceReport(available & ~4095L, total & ~4095L, free & ~4095L);
    });

    private string TextOf(string what, GuardedMemory memory)
    {
        int end = memory.Chars.IndexOf('\0');
        if (end >= 0)
            return memory.Chars[..end].ToString();
        Faults.Add($"the {what} is not terminated");
        return "";
    }
}
