// Formatting and strictly checking the media of the benches. Invariant: the check opens the medium anew and reads it all;
// it sees what another system would see.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Torture.Model;

/// <summary>Media of the benches.</summary>
internal static class MediumCheck
{
    private const long MediumBytes = 8L << 30;

    /// <summary>A formatted volume in memory.</summary>
    public static MemoryBlockDevice NewMedium()
    {
        var medium = new MemoryBlockDevice(MediumBytes);
        VolumeFormatter.Format([medium]);
        return medium;
    }

    /// <summary>Everything that is wrong with the medium, one line each. Space that waits for bulkfree is not wrong.</summary>
    public static IReadOnlyList<string> Problems(MemoryBlockDevice medium)
    {
        try
        {
            CheckReport report = VolumeChecker.Check([medium], new CheckOptions { Workers = 1 });
            return [.. report.Findings.Where(static finding => finding.Severity != CheckSeverity.Information).Select(static finding => finding.ToString())];
        }
        catch (Hammer2Exception failure)
        {
            return [failure.Message];
        }
    }
}
