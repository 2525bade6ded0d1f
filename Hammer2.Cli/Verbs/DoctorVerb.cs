// `hammer2 doctor`: what could be wrong with this machine's set-up, and how to mend it. Invariant: looks and changes nothing;
// code 1 when something cannot work as it is. May call Doctor and Output.

using System.CommandLine;
using Hammer2.Cli.Doctor;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Examines the machine.</summary>
internal static class DoctorVerb
{
    public static VerbCommand Create()
    {
        var images = new Argument<string[]>("IMAGE") { Description = "Images whose places are looked at too.", Arity = ArgumentArity.ZeroOrMore };
        return new VerbCommand(
            "doctor", "Look for what could be wrong with this machine's set-up, and say how to mend it.", "hammer2 doctor", "hammer2 doctor disk.img --json")
        {
            images,
        }.Runs((context, parsed) => Examine(new SystemProbe(context.MountHost), parsed.GetValue(images) ?? []));
    }

    /// <summary>The result for a machine.</summary>
    internal static VerbResult Examine(IDoctorProbe probe, IReadOnlyList<string> images)
    {
        List<DoctorFinding> findings = [.. DoctorChecks.All(probe, images)];
        return new VerbResult(new NoHead())
        {
            ItemsName = "checks",
            Items = findings,
            ExitCodeOfVerb = () => findings.Exists(static finding => finding.Verdict == Verdict.Problem) ? ExitCode.Partial : ExitCode.Success,
        };
    }
}
