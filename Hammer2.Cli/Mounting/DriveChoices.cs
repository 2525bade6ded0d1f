// What can be chosen about a drive on Windows. Invariant: on other systems every one of these options is refused rather than
// ignored, because somebody relies on what it does. Plain data and its way through a command line; calls Hammer2.Dokan.

using System.CommandLine;
using Hammer2.Dokan;
using Hammer2.Dokan.Security;

namespace Hammer2.Cli.Mounting;

/// <summary>The values of the options.</summary>
/// <param name="Rights">user, posix or deny-write.</param>
/// <param name="OwnerMap">File with the accounts of owners and groups.</param>
/// <param name="CaseSensitive">Names that differ in case are different names.</param>
/// <param name="VolumeLabel">What Explorer shows.</param>
/// <param name="FileSystemName">What programs are told.</param>
/// <param name="HideDotFiles">Names that begin with a dot are Hidden.</param>
internal sealed record DriveChoices(
    string? Rights, string? OwnerMap, bool CaseSensitive, string? VolumeLabel, string? FileSystemName, bool HideDotFiles)
{
    /// <summary>Nothing chosen.</summary>
    public static DriveChoices None { get; } = new(null, null, false, null, null, false);

    /// <summary>The same on the command line of the process in the background.</summary>
    public IEnumerable<string> AsArguments()
    {
        foreach ((string option, string? value) in new[]
        {
            ("--rights", Rights), ("--owner-map", OwnerMap is null ? null : Path.GetFullPath(OwnerMap)),
            ("--volume-label", VolumeLabel), ("--fs-name", FileSystemName),
        })
        {
            if (value is null)
                continue;
            yield return option;
            yield return value;
        }

        if (CaseSensitive)
            yield return "--case-sensitive";
        if (HideDotFiles)
            yield return "--hide-dot-files";
    }

    /// <summary>As options of the adapter.</summary>
    /// <exception cref="IOException">The owner map cannot be read.</exception>
    /// <exception cref="FormatException">The owner map is wrong.</exception>
    public DokanMountOptions ToOptions() => new()
    {
        Rights = Rights switch
        {
            "posix" => RightsMode.Posix,
            "deny-write" => RightsMode.DenyWrite,
            _ => RightsMode.User,
        },
        Owners = OwnerMap is null ? Hammer2.Dokan.Security.OwnerMap.Empty : Hammer2.Dokan.Security.OwnerMap.Parse(File.ReadLines(OwnerMap)),
        CaseSensitive = CaseSensitive,
        VolumeLabel = VolumeLabel,
        FileSystemName = FileSystemName ?? new DokanMountOptions().FileSystemName,
        HideDotFiles = HideDotFiles,
    };
}

/// <summary>The options themselves.</summary>
internal sealed class DriveOptions
{
    private readonly Option<string?> _rights = new("--rights")
    {
        Description = "Windows: whose rights count: user (everything is yours, the default), posix (owners and modes of the volume) or deny-write.",
    };

    private readonly Option<string?> _ownerMap = new("--owner-map")
    {
        Description = "Windows, with --rights posix: file with lines such as 'uid 1001 = S-1-5-21-...'.",
    };

    private readonly Option<bool> _caseSensitive = new("--case-sensitive")
    {
        Description = "Windows: names that differ in case are different names. Programs that change the case of names fail then.",
    };

    private readonly Option<string?> _volumeLabel = new("--volume-label") { Description = "Windows: the label that Explorer shows (default: the PFS label)." };

    private readonly Option<string?> _fileSystemName = new("--fs-name")
    {
        Description = "Windows: the file system name that programs are told (default NTFS, because many insist on it).",
    };

    private readonly Option<bool> _hideDotFiles = new("--hide-dot-files") { Description = "Windows: names that begin with a dot are shown as hidden." };

    public DriveOptions() => _rights.AcceptOnlyFromAmong("user", "posix", "deny-write");

    /// <summary>For the verb.</summary>
    public IEnumerable<Option> All => [_rights, _ownerMap, _caseSensitive, _volumeLabel, _fileSystemName, _hideDotFiles];

    /// <summary>What was chosen.</summary>
    public DriveChoices Of(ParseResult parsed)
    {
        var choices = new DriveChoices(
            parsed.GetValue(_rights), parsed.GetValue(_ownerMap), parsed.GetValue(_caseSensitive), parsed.GetValue(_volumeLabel),
            parsed.GetValue(_fileSystemName), parsed.GetValue(_hideDotFiles));
        if (choices != DriveChoices.None && !OperatingSystem.IsWindows())
            throw CliException.Usage($"{choices.AsArguments().First()} is for drives on Windows; leave it out here");
        if (choices.OwnerMap is not null && choices.Rights != "posix")
            throw CliException.Usage("--owner-map goes with --rights posix");
        return choices;
    }
}
