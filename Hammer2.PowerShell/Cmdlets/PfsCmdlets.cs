// PFSs and snapshots. Invariants: a command about snapshots never touches a PFS that is none; what changes a volume asks ShouldProcess first. Calls Running and
// Completion.

using System.Management.Automation;
using Hammer2.PowerShell.Completion;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Lists the PFSs and snapshots of a volume.</summary>
/// <example><code>Get-Hammer2Pfs disk.img</code><para>All of them.</para></example>
/// <example><code>Get-Hammer2Pfs disk.img -Label H* | Select-Object Label, Id, DataBytes</code><para>Those whose label begins with H.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2Pfs")]
[OutputType(typeof(Hammer2Pfs))]
public sealed class GetHammer2PfsCommand : Hammer2VolumeCmdlet
{
    /// <summary>Labels or patterns of labels; all when left out.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    [SupportsWildcards]
    public string[]? Label { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => WritePfs(Verb("pfs-list"), Label);
}

/// <summary>Makes an empty PFS.</summary>
/// <example><code>New-Hammer2Pfs disk.img HOME</code><para>Also on a volume that is mounted.</para></example>
[Cmdlet(VerbsCommon.New, "Hammer2Pfs", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2Pfs))]
public sealed class NewHammer2PfsCommand : Hammer2VolumeCmdlet
{
    /// <summary>Its label.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Label { get; set; } = "";

    /// <summary>Makes a slave of the cluster with this id instead of a master.</summary>
    [Parameter]
    public Guid? Cluster { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (ShouldProcess(Spec(image, Label), "make a PFS") && Run(Verb("pfs-create").Option("--cluster", Cluster).Names(image, Label), Label) is { } answer)
            WriteObject(answer.Objects("pfs").Select(pfs => new Hammer2Pfs(image, pfs)), enumerateCollection: true);
    }
}

/// <summary>Deletes PFSs with everything in them; Optimize-Hammer2Volume gives the space back.</summary>
/// <example><code>Remove-Hammer2Pfs disk.img OLD</code><para>After a question.</para></example>
/// <example><code>Get-Hammer2Pfs disk.img TEST* | Remove-Hammer2Pfs -Confirm:$false</code><para>Several, without a question.</para></example>
[Cmdlet(VerbsCommon.Remove, "Hammer2Pfs", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class RemoveHammer2PfsCommand : Hammer2VolumeCmdlet
{
    /// <summary>Its label.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Label { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        foreach (string label in Label.Where(label => ShouldProcess(Spec(image, label), "delete the PFS and everything in it")))
            Run(Verb("pfs-delete").Names(image, label), label);
    }
}

/// <summary>Gives a PFS or snapshot that is not open another label.</summary>
/// <example><code>Rename-Hammer2Pfs disk.img HOME HOME-OLD</code><para>The same PFS under another label.</para></example>
[Cmdlet(VerbsCommon.Rename, "Hammer2Pfs", SupportsShouldProcess = true)]
public sealed class RenameHammer2PfsCommand : Hammer2VolumeCmdlet
{
    /// <summary>Its label.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    [ValidateNotNullOrEmpty]
    public string Label { get; set; } = "";

    /// <summary>The new label.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    [ValidateNotNullOrEmpty]
    public string NewLabel { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (ShouldProcess(Spec(image, Label), $"rename to {NewLabel}"))
            Run(Verb("pfs-rename").Names(image, Label, NewLabel), Label);
    }
}

/// <summary>Lists the snapshots of a volume.</summary>
/// <example><code>Get-Hammer2Snapshot disk.img | Sort-Object ChangeTimeUtc</code><para>The oldest first.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2Snapshot")]
[OutputType(typeof(Hammer2Pfs))]
public sealed class GetHammer2SnapshotCommand : Hammer2VolumeCmdlet
{
    /// <summary>Names or patterns of names; all when left out.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(SnapshotCompleter))]
    [SupportsWildcards]
    public string[]? Label { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => WritePfs(Verb("snapshot", "list"), Label);
}

/// <summary>Takes a snapshot of a PFS, in constant time, also while it is mounted.</summary>
/// <example><code>New-Hammer2Snapshot disk.img@DATA before-upgrade</code><para>Of the PFS DATA.</para></example>
/// <example><code>Get-Hammer2Mount | New-Hammer2Snapshot</code><para>Of everything that is mounted, named by label and time.</para></example>
[Cmdlet(VerbsCommon.New, "Hammer2Snapshot", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2Snapshot))]
public sealed class NewHammer2SnapshotCommand : Hammer2VolumeCmdlet
{
    /// <summary>Name of the snapshot; label and time when left out.</summary>
    [Parameter(Position = 1)]
    public string? Name { get; set; }

    /// <summary>The PFS, when the volume's name does not say it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public string? Label { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        string pfs = Spec(image, Label);
        if (ShouldProcess(pfs, "take a snapshot") && Run(Verb("snapshot").Names(pfs, Name), pfs) is { } answer)
            WriteObject(new Hammer2Snapshot(WithoutLabel(image), answer));
    }
}

/// <summary>Gives a PFS that is not mounted the content of a snapshot; what it contained is kept as a snapshot.</summary>
/// <example><code>Restore-Hammer2Snapshot disk.img@DATA before-upgrade</code><para>The result names the snapshot with the previous content.</para></example>
[Cmdlet(VerbsData.Restore, "Hammer2Snapshot", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2RestoreResult))]
public sealed class RestoreHammer2SnapshotCommand : Hammer2VolumeCmdlet
{
    /// <summary>The snapshot.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ArgumentCompleter(typeof(SnapshotCompleter))]
    [ValidateNotNullOrEmpty]
    public string Snapshot { get; set; } = "";

    /// <summary>The PFS, when the volume's name does not say it.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public string? Label { get; set; }

    /// <summary>Does not keep what the PFS contained.</summary>
    [Parameter]
    public SwitchParameter DropPrevious { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        string pfs = Spec(image, Label);
        VerbLine line = Verb("snapshot", "restore").Flag("--drop-previous", DropPrevious).Names(pfs, Snapshot);
        if (ShouldProcess(pfs, $"restore from {Snapshot}") && Run(line, pfs) is { } answer)
            WriteObject(new Hammer2RestoreResult(WithoutLabel(image), answer));
    }
}

/// <summary>Deletes snapshots, and nothing else; Optimize-Hammer2Volume gives the space back.</summary>
/// <example><code>Get-Hammer2Snapshot disk.img DATA.2025* | Remove-Hammer2Snapshot</code><para>All snapshots of one year.</para></example>
[Cmdlet(VerbsCommon.Remove, "Hammer2Snapshot", SupportsShouldProcess = true)]
public sealed class RemoveHammer2SnapshotCommand : Hammer2VolumeCmdlet
{
    /// <summary>Its name.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(SnapshotCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Label { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (Run(Verb("snapshot", "list").Names(image), image) is not { } answer)
            return;
        var snapshots = new HashSet<string>(answer.Objects("pfs").Select(static pfs => pfs.Text("label")));
        foreach (string label in Label)
        {
            if (!snapshots.Contains(label))
                WriteProblem("SnapshotNotFound", ErrorCategory.ObjectNotFound, $"There is no snapshot '{label}' in {image}.", label);
            else if (ShouldProcess(Spec(image, label), "delete the snapshot"))
                Run(Verb("pfs-delete").Names(image, label), label);
        }
    }
}
