// Mounts: making, ending and listing them. Invariants: a mount lives in a process of its own and outlives the session; a target of Windows is passed on as it
// is, a directory with its full path. Calls Running and Completion.

using System.Collections;
using System.Management.Automation;
using Hammer2.PowerShell.Completion;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Shows a PFS or snapshot as a directory or drive.</summary>
/// <example><code>Mount-Hammer2Volume disk.img@DATA H:</code><para>Windows: a drive; * takes the next free letter.</para></example>
/// <example><code>Mount-Hammer2Volume disk.img /mnt/h2 -ReadOnly</code><para>Linux: an existing directory, for reading.</para></example>
/// <example><code>Mount-Hammer2Volume disk.img@ROOT H: -Also @{ HOME = 'I:' }</code><para>Two PFSs of one volume.</para></example>
[Cmdlet(VerbsData.Mount, "Hammer2Volume", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2Mount))]
public sealed class MountHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <summary>A drive letter such as H:, * for the next free one, or a directory.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Target { get; set; } = "";

    /// <summary>The PFS or snapshot, when the volume's name does not say it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public string? Label { get; set; }

    /// <summary>Nothing can be changed; the default for disks and partitions.</summary>
    [Parameter]
    public SwitchParameter ReadOnly { get; set; }

    /// <summary>Changes are possible; the default for image files.</summary>
    [Parameter]
    public SwitchParameter ReadWrite { get; set; }

    /// <summary>Linux: the kernel collects what programs write.</summary>
    [Parameter]
    public SwitchParameter Writeback { get; set; }

    /// <summary>Other PFSs of the volume and their targets.</summary>
    [Parameter]
    public Hashtable? Also { get; set; }

    /// <summary>Windows: whose rights count.</summary>
    [Parameter]
    [ValidateSet("user", "posix", "deny-write")]
    public string? Rights { get; set; }

    /// <summary>Windows: file with the accounts of owners and groups.</summary>
    [Parameter]
    public string? OwnerMap { get; set; }

    /// <summary>Windows: names that differ in case are different names.</summary>
    [Parameter]
    public SwitchParameter CaseSensitive { get; set; }

    /// <summary>Windows: what Explorer shows as the volume's label.</summary>
    [Parameter]
    public string? VolumeLabel { get; set; }

    /// <summary>Windows: names that begin with a dot are hidden.</summary>
    [Parameter]
    public SwitchParameter HideDotFiles { get; set; }

    /// <summary>Does not answer commands about the volume while it is mounted.</summary>
    [Parameter]
    public SwitchParameter NoControl { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string pfs = Spec(FullImage, Label);
        string target = HostPath(Target);
        if (!ShouldProcess(pfs, $"mount at {target}"))
            return;
        VerbLine line = Verb("mount").Flag("--background", true).Flag("--read-only", ReadOnly).Flag("--read-write", ReadWrite)
            .Flag("--writeback", Writeback).Options("--also", Others()).Option("--rights", Rights)
            .Option("--owner-map", OwnerMap is null ? null : HostPath(OwnerMap)).Flag("--case-sensitive", CaseSensitive)
            .Option("--volume-label", VolumeLabel).Flag("--hide-dot-files", HideDotFiles).Flag("--no-control", NoControl).Names(pfs, target);
        line.LeavesProcess = true;
        if (Run(line, pfs) is not { } answer)
            return;
        WriteObject(new Hammer2Mount(answer));
        foreach (JsonObject other in answer.Objects("also"))
            WriteObject(new Hammer2Mount(answer, other));
    }

    private IEnumerable<string>? Others() =>
        Also?.Cast<DictionaryEntry>().Select(other => $"{other.Key}={HostPath($"{other.Value}")}");
}

/// <summary>Ends a mount and waits until its last commit is on the volume.</summary>
/// <example><code>Dismount-Hammer2Volume H:</code><para>On Linux: the directory.</para></example>
/// <example><code>Get-Hammer2Mount | Dismount-Hammer2Volume</code><para>All of them.</para></example>
[Cmdlet(VerbsData.Dismount, "Hammer2Volume", SupportsShouldProcess = true)]
public sealed class DismountHammer2VolumeCommand : Hammer2Cmdlet
{
    /// <summary>Where it is mounted.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(MountCompleter))]
    [ValidateNotNullOrEmpty]
    public string Target { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string target = HostPath(Target);
        if (ShouldProcess(target, "unmount"))
            Run(new VerbLine("umount").Names(target), target);
    }
}

/// <summary>Lists the HAMMER2 mounts of this machine.</summary>
/// <example><code>Get-Hammer2Mount</code><para>All of them.</para></example>
/// <example><code>Get-Hammer2Mount H: | New-Hammer2Snapshot</code><para>A snapshot of what is mounted there.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2Mount")]
[OutputType(typeof(Hammer2Mount))]
public sealed class GetHammer2MountCommand : Hammer2Cmdlet
{
    /// <summary>Targets or patterns of targets; all when left out.</summary>
    [Parameter(Position = 0)]
    [ArgumentCompleter(typeof(MountCompleter))]
    [SupportsWildcards]
    public string[]? Target { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (Run(new VerbLine("mounts"), null) is not { } answer)
            return;
        WildcardPattern[] patterns = [.. (Target ?? ["*"]).Select(static target => new WildcardPattern(target, WildcardOptions.IgnoreCase))];
        WriteObject(
            answer.Objects("mounts").Select(static mount => new Hammer2Mount(mount)).Where(mount => patterns.Any(pattern => pattern.IsMatch(mount.Target))),
            enumerateCollection: true);
    }
}
