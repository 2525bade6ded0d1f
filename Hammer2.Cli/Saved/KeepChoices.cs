// What of a mount outlives it: that it is made again (--save), and that its filesystem may be changed (--read-write, remembered by
// the filesystem's id). Invariants: nothing is stored before the mount works; a store that fails takes the mount back only when
// storing was asked for. Calls SavedMounts.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Verbs;

namespace Hammer2.Cli.Saved;

/// <summary>The values of the options.</summary>
/// <param name="Save">Made again by the service and <c>hammer2 saved mount</c>.</param>
/// <param name="System">Kept for the machine, not for the user.</param>
/// <param name="Automatic">Nobody asked for this mount just now: the service makes it.</param>
internal sealed record KeepChoices(bool Save, bool System, bool Automatic)
{
    public static KeepChoices None { get; } = new(false, false, false);

    /// <summary>The same for the process in the background.</summary>
    public IEnumerable<string> AsArguments()
    {
        if (Save)
            yield return "--save";
        if (System)
            yield return "--system";
        if (Automatic)
            yield return SaveOptions.AutomaticName;
    }

    /// <summary>Stores what was asked for; the mount works by now.</summary>
    public void Remember(VerbContext context, OpenedImage image, string paths, string target, MountChoices choices)
    {
        if (choices.ReadWrite && !Automatic)
            RememberAccess(context, image.Volume.FileSystemId);
        if (!Save)
            return;
        string name = OpenedImage.Spec(image.Image).Label is { } label ? $"{paths}@{label}" : paths;
        MountChoices stored = choices with
        {
            Keep = None,
            Others = [.. choices.Others.Select(static other => other with { Target = FullTarget(other.Target) })],
        };
        SavedMounts.Of(System).Add(new SavedMount(name, FullTarget(target), [.. stored.AsArguments(), .. context.EngineArguments]));
    }

    private void RememberAccess(VerbContext context, Guid fileSystem)
    {
        try
        {
            new RememberedAccess(SettingsFolder.Of(System)).Add(fileSystem);
        }
        catch (Exception failure) when (failure is CliException or IOException)
        {
            context.Say($"warning: that this filesystem may be changed is not remembered: {failure.Message}");
        }
    }

    private static string FullTarget(string target) => OperatingSystem.IsWindows() && target is [_, ':'] or [_, ':', '\\'] ? target : Path.GetFullPath(target);
}

/// <summary>The options themselves.</summary>
internal sealed class SaveOptions
{
    /// <summary>Hidden: given by the service to its children.</summary>
    public const string AutomaticName = "--automatic";

    private readonly Option<bool> _save = new("--save")
    {
        Description = "Store the mount, once it works: 'hammer2 saved mount' and the service make it again.",
    };

    private readonly Option<bool> _system = new("--system") { Description = "With --save or --read-write: store for the machine, not for this user." };

    private readonly Option<bool> _automatic = new(AutomaticName) { Hidden = true };

    public IEnumerable<Option> All => [_save, _system, _automatic];

    public KeepChoices Of(ParseResult parsed) => new(parsed.GetValue(_save), parsed.GetValue(_system), parsed.GetValue(_automatic));
}
