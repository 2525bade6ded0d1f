// `hammer2 version`: what this build is and whether it can mount here. Invariant: opens no image.
// May call the mount host, which says what is missing.
// The version is the assembly's informational one.

using System.Reflection;
using System.Runtime.InteropServices;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Shows versions.</summary>
internal static class VersionVerb
{
    public static VerbCommand Create() =>
        new VerbCommand("version", "Show the version of this program and of the format that it reads.", "hammer2 version --json")
            .Runs((context, _) => VerbResult.Of(VersionShape.OfThisBuild(context.MountHost.WhyUnavailable())));
}

/// <summary>Versions.</summary>
internal sealed record VersionShape(
    string Version, uint FormatVersionMax, string Runtime, string System, bool CanMount, string? MountProblem)
    : ITextShape
{
    public static VersionShape OfThisBuild(string? mountProblem)
    {
        var stamp = typeof(VersionShape).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>();
        return new VersionShape(
            stamp?.InformationalVersion ?? "unknown",
            FormatLimits.VersionMax,
            RuntimeInformation.FrameworkDescription,
            $"{RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}",
            mountProblem is null,
            mountProblem);
    }

    public void WriteText(TextOutput output)
    {
        output.Line($"hammer2 {Version}");
        output.Fact("format", $"HAMMER2 version 1 to {FormatVersionMax}", 8);
        output.Fact("runtime", Runtime, 8);
        output.Fact("system", System, 8);
        output.Fact("mounting", CanMount ? "available" : MountProblem, 8);
    }
}
