// What takes the space: of a whole volume (usage, one walk over it), or of paths in a PFS (du). Invariant: nothing is changed. Calls Running and
// Completion.

using System.Management.Automation;
using Hammer2.PowerShell.Completion;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Measures where the space of a volume went, or what files and directories take.</summary>
/// <example><code>Measure-Hammer2Usage disk.img</code><para>Free, live, only in snapshots, reclaimable, compression, deduplication.</para></example>
/// <example><code>(Measure-Hammer2Usage disk.img@HOME -Top 5).Directories</code><para>The five largest directories of a PFS.</para></example>
/// <example><code>Measure-Hammer2Usage disk.img -Path /home -Recurse | Sort-Object Allocated -Descending</code><para>Every directory below one.</para></example>
[Cmdlet(VerbsDiagnostic.Measure, "Hammer2Usage", DefaultParameterSetName = VolumeSet)]
[OutputType(typeof(Hammer2VolumeUsage), typeof(Hammer2Usage))]
public sealed class MeasureHammer2UsageCommand : Hammer2PathCmdlet
{
    private const string VolumeSet = "Volume";
    private const string PathSet = "Path";

    /// <summary>How many directories the answer names, the largest first; 20 when left out.</summary>
    [Parameter(ParameterSetName = VolumeSet)]
    public int? Top { get; set; }

    /// <summary>Directories or files to measure instead of the volume.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = PathSet, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(PathCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>One object for each directory below too.</summary>
    [Parameter(ParameterSetName = PathSet)]
    public SwitchParameter Recurse { get; set; }

    /// <summary>One object for each file too.</summary>
    [Parameter(ParameterSetName = PathSet)]
    public SwitchParameter File { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (ParameterSetName == VolumeSet)
        {
            if (Run(Verb("usage").Option("--directories", Top).Names(Pfs), image) is { } answer)
                WriteObject(new Hammer2VolumeUsage(WithoutLabel(image), answer));
            return;
        }

        foreach (string path in Path)
        {
            VerbLine line = Verb("du").Flag("--summarize", !Recurse && !File).Flag("--all", File).Names(Pfs, path);
            Run(line, path, items: "entries", item: entry => WriteObject(new Hammer2Usage(image, Label, entry)));
        }
    }
}
