// Volumes: what they are, making, growing, checking and repairing them. Invariants: what changes a volume asks ShouldProcess first and runs nothing
// when the answer is no; formatting needs an existing target, making a new one. Calls Running.

using System.Management.Automation;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Shows sizes, PFSs and warnings of volumes.</summary>
/// <example><code>Get-Hammer2Volume disk.img</code><para>Size, free space and PFSs of an image.</para></example>
/// <example><code>Get-ChildItem *.img | Get-Hammer2Volume | Sort-Object FreeBytes</code><para>All images of a folder, the fullest first.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2Volume")]
[OutputType(typeof(Hammer2Volume))]
public sealed class GetHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (Run(Verb("info").Names(image), image) is { } answer)
            WriteObject(new Hammer2Volume(image, answer));
    }
}

/// <summary>What newfs can be told, for both commands that make a filesystem.</summary>
public abstract class Hammer2NewfsCmdlet : Hammer2Cmdlet
{
    private protected Hammer2NewfsCmdlet()
    {
    }

    /// <summary>The file, disk or partition; several make one filesystem of several volumes.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string[] Image { get; set; } = [];

    /// <summary>PFSs to make besides LOCAL, up to three; none for LOCAL alone. DATA when left out.</summary>
    [Parameter]
    public string[]? Label { get; set; }

    /// <summary>What files get: none, autozero, lz4, zlib or zlib:1 to zlib:9.</summary>
    [Parameter]
    public string? Compression { get; set; }

    /// <summary>How blocks are checked: none, disabled, iscsi32, xxhash64 or sha192.</summary>
    [Parameter]
    [ValidateSet("none", "disabled", "iscsi32", "xxhash64", "sha192")]
    public string? Check { get; set; }

    /// <summary>Area kept free for booting, such as 64M.</summary>
    [Parameter]
    public string? BootSize { get; set; }

    /// <summary>Auxiliary area kept free, such as 256M.</summary>
    [Parameter]
    public string? AuxSize { get; set; }

    /// <summary>Format version.</summary>
    [Parameter]
    [ValidateRange(1, 2)]
    public int? Version { get; set; }

    /// <summary>A directory whose tree fills the first PFS.</summary>
    [Parameter]
    public string? From { get; set; }

    private protected void Newfs(string[] images, VerbLine line)
    {
        line.Options("--label", Label).Option("--compression", Compression).Option("--check", Check).Option("--boot-size", BootSize)
            .Option("--aux-size", AuxSize).Option("--version", Version).Option("--from", From is null ? null : HostPath(From));
        string name = string.Join(":", images);
        if (Run(line.Names(images), name) is { } answer)
            WriteObject(new Hammer2NewVolume(name, answer));
    }
}

/// <summary>Makes a filesystem in a new image file.</summary>
/// <example><code>New-Hammer2Volume new.img -Size 20G</code><para>A sparse file of 20 GiB with the PFS DATA.</para></example>
/// <example><code>New-Hammer2Volume new.img -From ./tree -Label HOME -Compression zlib:6</code><para>As large as the tree needs, with the tree in it.</para></example>
/// <example><code>New-Hammer2Volume vol0.img, vol1.img -Size 10GB</code><para>One filesystem of two volumes.</para></example>
[Cmdlet(VerbsCommon.New, "Hammer2Volume", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2NewVolume))]
public sealed class NewHammer2VolumeCommand : Hammer2NewfsCmdlet
{
    /// <summary>Bytes of each volume, such as 20G or 20GB; may be left out with -From.</summary>
    [Parameter(Position = 1)]
    public string? Size { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string[] images = [.. Image.Select(HostPath)];
        if (images.FirstOrDefault(File.Exists) is { } existing)
            WriteProblem("VolumeExists", ErrorCategory.ResourceExists, $"'{existing}' exists; Format-Hammer2Volume makes a filesystem in what exists.", existing);
        else if (ShouldProcess(string.Join(":", images), "make a HAMMER2 filesystem"))
            Newfs(images, new VerbLine("newfs").Option("--size", Size));
    }
}

/// <summary>Makes a filesystem in an existing file, disk or partition. What it contained is lost.</summary>
/// <example><code>Format-Hammer2Volume \\.\PhysicalDrive2 -Partition 1</code><para>A partition of a disk, after a question.</para></example>
/// <example><code>Format-Hammer2Volume old.img -Force -Confirm:$false</code><para>Over another filesystem, without a question.</para></example>
[Cmdlet(VerbsCommon.Format, "Hammer2Volume", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Hammer2NewVolume))]
public sealed class FormatHammer2VolumeCommand : Hammer2NewfsCmdlet
{
    /// <summary>Formats over what is recognised: filesystems, partition tables, archives.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Which partition of a disk to format; the rest is left alone.</summary>
    [Parameter]
    public int? Partition { get; set; }

    /// <summary>Bytes to use of each volume; all of it when left out.</summary>
    [Parameter]
    public string? Size { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string[] images = [.. Image.Select(ImageName)];
        bool file = !images[0].StartsWith(@"\\.\", StringComparison.Ordinal);
        if (file && images.FirstOrDefault(static image => !File.Exists(image)) is { } missing)
            WriteProblem("VolumeNotFound", ErrorCategory.ObjectNotFound, $"'{missing}' does not exist; New-Hammer2Volume makes it.", missing);
        else if (ShouldProcess(string.Join(":", images), "format as HAMMER2, what it contains is lost"))
            Newfs(images, new VerbLine("newfs").Flag("--force", Force).Option("--partition", Partition).Option("--size", Size));
    }
}

/// <summary>Makes a volume larger, also while it is mounted.</summary>
/// <example><code>Resize-Hammer2Volume disk.img 40G</code><para>The file is extended to 40 GiB.</para></example>
/// <example><code>Resize-Hammer2Volume /mnt/h2</code><para>A mounted volume takes all of its device.</para></example>
[Cmdlet(VerbsCommon.Resize, "Hammer2Volume", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2ResizedVolume))]
public sealed class ResizeHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <summary>New size, such as 40G, rounded down to 8 MiB; all of the device when left out.</summary>
    [Parameter(Position = 1)]
    public string? Size { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (ShouldProcess(image, "make it larger") && Run(Verb("growfs").Names(image, Size), image) is { } answer)
            WriteObject(new Hammer2ResizedVolume(image, answer));
    }
}

/// <summary>Gives back the space of everything that no PFS or snapshot refers to any more (bulkfree).</summary>
/// <example><code>Optimize-Hammer2Volume disk.img -UntilStable</code><para>Until a round frees nothing more.</para></example>
/// <example><code>Get-Hammer2Mount | Where-Object ReadOnly -eq $false | Optimize-Hammer2Volume</code><para>Every mounted volume, while it is in use.</para></example>
[Cmdlet(VerbsCommon.Optimize, "Hammer2Volume", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2OptimizeResult))]
public sealed class OptimizeHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <summary>Goes on until a round frees nothing more.</summary>
    [Parameter]
    public SwitchParameter UntilStable { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (ShouldProcess(image, "give back unused space") && Run(Verb("bulkfree").Flag("--until-stable", UntilStable).Names(image), image) is { } answer)
            WriteObject(new Hammer2OptimizeResult(image, answer));
    }
}

/// <summary>Which check of a volume.</summary>
public enum Hammer2TestMode
{
    /// <summary>All structures against each other (fsck). Nobody may write to the volume.</summary>
    Structure,

    /// <summary>Every block against its check code (verify); also on a mounted volume.</summary>
    Blocks,
}

/// <summary>Checks a volume and changes nothing.</summary>
/// <example><code>Test-Hammer2Volume disk.img</code><para>The strict check, with findings.</para></example>
/// <example><code>(Test-Hammer2Volume disk.img).Findings | Format-List</code><para>Everything about each finding.</para></example>
/// <example><code>if (-not (Test-Hammer2Volume disk.img -Mode Blocks -Quiet)) { throw 'damaged' }</code><para>Reads every block, for a script.</para></example>
[Cmdlet(VerbsDiagnostic.Test, "Hammer2Volume")]
[OutputType(typeof(Hammer2TestResult), typeof(bool))]
public sealed class TestHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <summary>Structure compares all structures (fsck), Blocks reads every block (verify).</summary>
    [Parameter]
    public Hammer2TestMode Mode { get; set; } = Hammer2TestMode.Structure;

    /// <summary>Leaves out the contents of files: much faster. For Structure.</summary>
    [Parameter]
    public SwitchParameter NoData { get; set; }

    /// <summary>Checks the state that this header copy leads to. For Structure.</summary>
    [Parameter]
    [ValidateRange(0, 3)]
    public int? HeaderCopy { get; set; }

    /// <summary>Returns only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        VerbLine line = Mode == Hammer2TestMode.Blocks
            ? Verb("verify")
            : Verb("fsck").Flag("--no-data", NoData).Option("--header", HeaderCopy);
        var findings = new List<Hammer2Finding>();
        JsonObject? answer = Run(line.Names(image), image, verdict: true, "findings", found => findings.Add(new Hammer2Finding(found)));
        if (answer is not null)
            WriteObject(Quiet ? answer.Flag("clean") : new Hammer2TestResult(image, Mode.ToString(), answer, findings));
    }
}

/// <summary>Repairs what has one right answer, in a new commit, and checks again.</summary>
/// <example><code>Repair-Hammer2Volume disk.img -DryRun</code><para>Only says what would be repaired.</para></example>
/// <example><code>(Repair-Hammer2Volume disk.img).Repairs</code><para>Repairs, and lists what was done.</para></example>
[Cmdlet(VerbsDiagnostic.Repair, "Hammer2Volume", SupportsShouldProcess = true)]
[OutputType(typeof(Hammer2RepairResult))]
public sealed class RepairHammer2VolumeCommand : Hammer2VolumeCmdlet
{
    /// <summary>Opens the volume for reading and only says what would be repaired.</summary>
    [Parameter]
    public SwitchParameter DryRun { get; set; }

    /// <summary>Leaves out the contents of files: much faster.</summary>
    [Parameter]
    public SwitchParameter NoData { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        if (!DryRun && !ShouldProcess(image, "repair"))
            return;
        var findings = new List<Hammer2Finding>();
        VerbLine line = Verb("fsck").Flag("--repair", true).Flag("--dry-run", DryRun).Flag("--no-data", NoData).Names(image);
        if (Run(line, image, verdict: true, "findings", found => findings.Add(new Hammer2Finding(found))) is { } answer)
            WriteObject(new Hammer2RepairResult(image, answer, findings));
    }
}
