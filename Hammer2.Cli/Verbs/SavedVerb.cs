// `hammer2 saved`: the mounts that `mount --save` stored, and the filesystems that may be changed without being asked each time.
// Invariant: nothing is mounted or unmounted by listing, removing and forgetting.
// May call Saved, and the program itself for mounting.

using System.CommandLine;
using System.Diagnostics;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Cli.Saved;

namespace Hammer2.Cli.Verbs;

/// <summary>Saved mounts.</summary>
internal static class SavedVerb
{
    public static VerbCommand Create()
    {
        var action = new Argument<string>("list|remove|mount|forget") { Description = "What to do; list is the default.", DefaultValueFactory = _ => "list" };
        action.AcceptOnlyFromAmong("list", "remove", "mount", "forget");
        var what = new Argument<string?>("TARGET")
        {
            Description = "Which: the target of a saved mount (mount: all without it), or for forget the id of a filesystem.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var system = new Option<bool>("--system") { Description = "Those of the machine, not of this user." };
        string place = OperatingSystem.IsWindows() ? "H:" : "/mnt/h2";
        return new VerbCommand(
            "saved",
            "List, remove or make the mounts that 'mount --save' stored.",
            "hammer2 saved list",
            $"hammer2 saved remove {place}",
            "hammer2 saved mount --system",
            "hammer2 saved forget 11111111-2222-3333-4444-555555555555")
        {
            action, what, system,
        }.Runs((context, parsed) =>
        {
            bool ofSystem = parsed.GetValue(system);
            string? which = parsed.GetValue(what);
            return parsed.GetRequiredValue(action) switch
            {
                "remove" => Remove(which ?? throw CliException.Usage("saved remove needs TARGET, as 'hammer2 saved list' shows it"), ofSystem),
                "forget" => Forget(which, ofSystem),
                "mount" => Mount(context, which, ofSystem),
                _ => VerbResult.Of(Shape(SavedMounts.Of(ofSystem).List(), ofSystem)),
            };
        });
    }

    private static SavedShape Shape(IReadOnlyList<SavedMount> mounts, bool system) =>
        new(mounts, new RememberedAccess(SettingsFolder.Of(system)).List());

    private static VerbResult Remove(string target, bool system)
    {
        SavedMounts saved = SavedMounts.Of(system);
        if (!saved.Remove(target) && !saved.Remove(Path.GetFullPath(target)))
            throw new CliException(ExitCode.Partial, $"no mount is saved for {target}");
        return VerbResult.Of(Shape(saved.List(), system) with { IsSilent = true });
    }

    private static VerbResult Forget(string? which, bool system)
    {
        if (!Guid.TryParse(which, out Guid fileSystem))
            throw CliException.Usage("saved forget needs the id of a filesystem, as 'hammer2 saved list' shows it");
        if (!new RememberedAccess(SettingsFolder.Of(system)).Remove(fileSystem))
            throw new CliException(ExitCode.Partial, $"nothing is remembered about {fileSystem}");
        return VerbResult.Of(Shape(SavedMounts.Of(system).List(), system) with { IsSilent = true });
    }

    private static VerbResult Mount(VerbContext context, string? target, bool system)
    {
        string? full = target is null ? null : Path.GetFullPath(target);
        SavedMount[] wanted = [.. SavedMounts.Of(system).List().Where(mount => target is null || mount.Target == target || mount.Target == full)];
        if (wanted.Length == 0 && target is not null)
            throw new CliException(ExitCode.Partial, $"no mount is saved for {target}");
        var failed = new List<string>();
        foreach (SavedMount mount in wanted)
        {
            context.Stop.ThrowIfCancellationRequested();
            using Process child = Process.Start(SelfProcess.With(mount.AsArguments("--background"))) ?? throw new IOException("the mount's process could not be started");
            child.StandardInput.Close();
            Task<string> errors = child.StandardError.ReadToEndAsync();
            _ = child.StandardOutput.ReadToEnd();
            child.WaitForExit();
            foreach (string line in errors.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                context.Terminal.Error.WriteLine(line);
            if (child.ExitCode != ExitCode.Success)
                failed.Add(mount.Target);
        }

        return failed.Count == 0
            ? VerbResult.Of(Shape(wanted, system) with { IsSilent = true })
            : throw new CliException(ExitCode.CannotOpen, $"not mounted: {string.Join(", ", failed)}");
    }
}

/// <summary>What is saved.</summary>
internal sealed record SavedShape(IReadOnlyList<SavedMount> Mounts, IReadOnlyList<Guid> ReadWrite) : ITextShape
{
    private static readonly string[] s_headings = ["TARGET", "IMAGE", "OPTIONS"];

    /// <summary>Text says nothing: the verb did what it was told.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsSilent { get; init; }

    public void WriteText(TextOutput output)
    {
        if (IsSilent)
            return;
        if (Mounts.Count > 0)
            output.Table(s_headings, [.. Mounts.Select(static mount => new[] { mount.Target, mount.Image, string.Join(' ', mount.Options) })]);
        foreach (Guid fileSystem in ReadWrite)
            output.Line($"filesystem {fileSystem} is mounted for changes");
    }
}
