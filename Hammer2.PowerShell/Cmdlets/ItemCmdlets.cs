// Files of a volume without mounting it: listing, copying, reading. Invariants: objects come while the program lists; a path is spelled as the objects
// have it, so that listings can be piped on. Calls Running and Completion.

using System.Management.Automation;
using System.Text;
using Hammer2.PowerShell.Completion;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Base of the commands about paths in a PFS.</summary>
public abstract class Hammer2PathCmdlet : Hammer2VolumeCmdlet
{
    private protected Hammer2PathCmdlet()
    {
    }

    /// <summary>The PFS or snapshot, when the volume's name does not say it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public string? Label { get; set; }

    /// <summary>The PFS as the program names it.</summary>
    private protected string Pfs => Spec(FullImage, Label);
}

/// <summary>Lists files and directories of a PFS.</summary>
/// <example><code>Get-Hammer2ChildItem disk.img@DATA /home</code><para>One directory.</para></example>
/// <example><code>Get-Hammer2ChildItem disk.img -Recurse | Sort-Object Size -Descending | Select-Object -First 10</code><para>The ten largest files.</para></example>
/// <example><code>Get-Hammer2ChildItem disk.img /etc -File | Copy-Hammer2Item -Destination ./etc</code><para>The files of a directory, copied off.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2ChildItem")]
[OutputType(typeof(Hammer2Item))]
public sealed class GetHammer2ChildItemCommand : Hammer2PathCmdlet
{
    /// <summary>Directories or files; the root when left out.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(PathCompleter))]
    public string[] Path { get; set; } = ["/"];

    /// <summary>What is below directories too.</summary>
    [Parameter]
    public SwitchParameter Recurse { get; set; }

    /// <summary>Names that begin with a dot too.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Only directories.</summary>
    [Parameter]
    public SwitchParameter Directory { get; set; }

    /// <summary>Everything but directories.</summary>
    [Parameter]
    public SwitchParameter File { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string image = FullImage;
        foreach (string path in Path)
        {
            VerbLine line = Verb("ls").Flag("--long", true).Flag("--recursive", Recurse).Flag("--all", Force).Names(Pfs, path);
            Run(line, path, items: "entries", item: entry => WriteItem(new Hammer2Item(image, Label, entry)));
        }
    }

    private void WriteItem(Hammer2Item item)
    {
        bool wanted = Directory.IsPresent == File.IsPresent || Directory.IsPresent == item.PSIsContainer;
        if (wanted && item.Name is not ("." or ".."))
            WriteObject(item);
    }
}

/// <summary>Copies files and trees off a volume, or onto it.</summary>
/// <example><code>Copy-Hammer2Item /home/me ./me -FromVolume disk.img@DATA</code><para>Off the volume, with times, modes and links.</para></example>
/// <example><code>Copy-Hammer2Item ./me /home -ToVolume disk.img@DATA</code><para>Onto it.</para></example>
/// <example><code>Get-ChildItem *.iso | Copy-Hammer2Item -Destination /images -ToVolume disk.img</code><para>Files of this computer from the pipeline.</para></example>
[Cmdlet(VerbsCommon.Copy, "Hammer2Item", SupportsShouldProcess = true, DefaultParameterSetName = FromSet)]
[OutputType(typeof(Hammer2CopyResult))]
public sealed class CopyHammer2ItemCommand : Hammer2Cmdlet
{
    private const string FromSet = "FromVolume";
    private const string ToSet = "ToVolume";

    /// <summary>What to copy: a path of the volume with -FromVolume, of this computer with -ToVolume.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Where to: a new name, or an existing directory.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>The volume to copy from, with @LABEL if need be.</summary>
    [Parameter(Mandatory = true, ParameterSetName = FromSet, ValueFromPipelineByPropertyName = true)]
    [Alias("Image")]
    [ValidateNotNullOrEmpty]
    public string FromVolume { get; set; } = "";

    /// <summary>The volume to copy to, with @LABEL if need be.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ToSet)]
    [ValidateNotNullOrEmpty]
    public string ToVolume { get; set; } = "";

    /// <summary>The PFS, when the volume's name does not say it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public string? Label { get; set; }

    /// <summary>Which partition of a whole disk to use, if several hold HAMMER2.</summary>
    [Parameter]
    public int? Partition { get; set; }

    /// <summary>Replaces files that exist; directories are merged.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Goes on with an earlier copy: skips files whose size and time match.</summary>
    [Parameter]
    public SwitchParameter Resume { get; set; }

    /// <summary>Keeps what can be read of a damaged file as NAME.partial.</summary>
    [Parameter(ParameterSetName = FromSet)]
    public SwitchParameter KeepPartial { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        bool from = ParameterSetName == FromSet;
        string pfs = Spec(ImageName(from ? FromVolume : ToVolume), Label);
        foreach (string path in Path)
        {
            string source = from ? path : HostPath(path);
            string destination = from ? HostPath(Destination) : Destination;
            if (!ShouldProcess(from ? $"{source} of {pfs}" : source, from ? $"copy to {destination}" : $"copy to {destination} of {pfs}"))
                continue;
            VerbLine line = new VerbLine(from ? "get" : "put").Option("--partition", Partition).Flag("--force", Force).Flag("--resume", Resume)
                .Flag("--keep-partial", KeepPartial).Names(pfs, source, destination);
            if (Run(line, source) is { } answer)
                WriteObject(new Hammer2CopyResult(answer));
        }
    }
}

/// <summary>Reads files of a PFS.</summary>
/// <example><code>Get-Hammer2Content disk.img /etc/motd</code><para>Its lines.</para></example>
/// <example><code>$bytes = Get-Hammer2Content disk.img /boot/kernel -AsBytes</code><para>Its bytes, as one array.</para></example>
[Cmdlet(VerbsCommon.Get, "Hammer2Content")]
[OutputType(typeof(string), typeof(byte[]))]
public sealed class GetHammer2ContentCommand : Hammer2PathCmdlet
{
    private static readonly string[] s_lineEnds = ["\r\n", "\n"];

    /// <summary>The files; links are followed.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(PathCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>One string for each file instead of its lines.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    /// <summary>One array of bytes for each file.</summary>
    [Parameter]
    public SwitchParameter AsBytes { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() =>
        Run(Verb("cat").Names(Pfs).Names(Path), Path[0], items: "files", item: file => WriteFile(Convert.FromBase64String(file.Text("content"))));

    private void WriteFile(byte[] bytes)
    {
        if (AsBytes)
        {
            WriteObject(bytes, enumerateCollection: false);
            return;
        }

        string text = Encoding.UTF8.GetString(bytes);
        if (Raw)
        {
            WriteObject(text);
            return;
        }

        string[] lines = text.Split(s_lineEnds, StringSplitOptions.None);
        bool ended = lines[lines.Length - 1].Length == 0;
        WriteObject(lines.Take(ended ? lines.Length - 1 : lines.Length), enumerateCollection: true);
    }
}
