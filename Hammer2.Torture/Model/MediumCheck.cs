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
    /// <summary>Everything that is wrong with the medium, one line each.</summary>
    public static IReadOnlyList<string> Problems(MemoryBlockDevice medium)
    {
        try
        {
            using Hammer2Volume volume = Hammer2Volume.Open([medium], new VolumeOptions());
            VerifyReport report = new VolumeVerifier(volume).Run();
            return [.. report.Findings.Select(static finding => finding.Message)];
        }
        catch (Hammer2Exception failure)
        {
            return [failure.Message];
        }
    }
}
