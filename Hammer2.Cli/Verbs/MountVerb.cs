// `hammer2 mount`: shows a PFS as a directory or drive. In the foreground it stays until Ctrl+C, SIGTERM or
// umount; in the background it starts itself again, waits for one line from that process, and leaves it. Invariants:
// the first line on stdout means that the mount answers; whatever ends the mount, the volume is committed and closed
// before the process ends, and what goes wrong then is its exit code. May call Listing, Mounting and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Live;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Cli.Saved;
using Hammer2.Control;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

/// <summary>Mounts.</summary>
internal static class MountVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> target = Target();
        var readOnly = new Option<bool>("--read-only", "-r") { Description = "Mount for reading; the default for disks and partitions." };
        var readWrite = new Option<bool>("--read-write", "-w") { Description = "Mount for changes; the default for image files." };
        var writeback = new Option<bool>("--writeback")
        {
            Description = "Let the kernel collect what is written (Linux): faster small writes, but a full volume shows late.",
        };
        var also = new Option<string[]>("--also")
        {
            Description = "LABEL=TARGET: show another PFS of the volume at another target, any number of times; the mount ends with the last of them.",
        };
        var background = new Option<bool>("--background", "-b") { Description = "Return when it is mounted; umount ends it." };
        var noControl = new Option<bool>("--no-control") { Description = "Do not answer hammer2 commands about the volume while it is mounted." };
        var keep = new SaveOptions();

        var snapshots = new Option<string?>("--snapshots")
        {
            Description = "Take snapshots by the clock and keep so many: hourly=24,daily=7,weekly=4,monthly=12.",
            HelpName = "SCHEDULE",
        };
        var child = new Option<bool>(BackgroundMount.ChildOption) { Hidden = true };
        var drive = new DriveOptions();
        string place = ExampleTarget;
        var verb = new VerbCommand(
            "mount",
            "Show a PFS as a directory or drive.",
            $"hammer2 mount disk.img@DATA {place}",
            $"hammer2 mount --background disk.img {place}",
            $"hammer2 mount --read-only disk.img {place}",
            $"hammer2 mount disk.img@DATA {place} --snapshots hourly=24,daily=7",
            $"hammer2 mount disk.img@ROOT {place} --also HOME={(OperatingSystem.IsWindows() ? "I:" : "/mnt/home")}",
            $"hammer2 mount vol0.img:vol1.img@MV {place}")
        {
            image, target, also, readOnly, readWrite, writeback, snapshots, background, noControl, child,
        };
        foreach (Option option in drive.All.Concat(keep.All))
            verb.Add(option);
        return verb.Lives().RunsRaw((context, parsed) =>
        {
            var choices = new MountChoices(
                parsed.GetValue(readOnly), parsed.GetValue(readWrite), parsed.GetValue(writeback), parsed.GetValue(noControl), drive.Of(parsed), OtherPfs.Parse(parsed.GetValue(also) ?? []))
            {
                Keep = keep.Of(parsed),

                Snapshots = parsed.GetValue(snapshots) is { } schedule ? SnapshotRule.Parse(schedule) : [],
            };
            if (choices is { ReadOnly: true, ReadWrite: true })
                throw CliException.Usage("--read-only and --read-write exclude each other; give one of them");
            string imageName = parsed.GetRequiredValue(image);
            string where = parsed.GetRequiredValue(target);
            if (choices.Keep.Save && context.Live is not null)
                throw CliException.Usage("--save goes with the mount that opens the volume; unmount it first");
            if (context.Live is { } live)
                return AddTo(live, context, imageName, where, choices);
            if (parsed.GetValue(background))
                return BackgroundMount.Start(context, imageName, where, choices.AsArguments());
            return Serve(context, imageName, where, choices, parsed.GetValue(child));
        });
    }

    /// <summary>Where a mount appears in examples.</summary>
    public static string ExampleTarget => OperatingSystem.IsWindows() ? "H:" : "/mnt/h2";

    /// <summary>The argument for where to mount.</summary>
    public static Argument<string> Target() => new("TARGET")
    {
        Description = OperatingSystem.IsWindows()
            ? "A drive letter such as H:, * for the next free one, or an empty folder."
            : "An existing directory.",
    };

    private static int Serve(VerbContext context, string imageName, string target, MountChoices choices, bool isChild)
    {
        // The shell's Ctrl+C is for the shell's foreground program: a mount in the background leaves its session first.
        if (isChild)
            BackgroundMount.LeaveSession();
        if (context.MountHost.WhyUnavailable() is { } problem)
            throw new CliException(ExitCode.CannotOpen, "mounting is not possible here: " + problem);
        using OpenedImage image = Open(context, imageName, choices);
        if (choices.Snapshots.Count > 0 && !image.Volume.IsWritable)
            throw new CliException(ExitCode.CannotOpen, $"--snapshots needs a volume that is mounted for changes, and {imageName} is not; see --read-write");
        string paths = string.Join(':', OpenedImage.Spec(imageName).Paths.Select(Path.GetFullPath));
        MountRequest RequestOf(PfsMount pfs, string where) => new(paths, pfs, where, context.Logger)
        {
            ReadOnly = !image.Volume.IsWritable,
            CollectsWrites = choices.Writeback,
            Drive = choices.Drive,
        };
        using var held = new HeldMounts(context.Stop);
        IMountSession session = held.AddMount(Mount(context, RequestOf(image.Pfs, target)));
        var others = new List<OtherPfs>();
        foreach (OtherPfs other in choices.Others)
        {
            PfsMount pfs = held.Add(image.OpenAnother(other.Label));
            others.Add(other with { Target = held.AddMount(Mount(context, RequestOf(pfs, other.Target))).Target });
        }

        if (choices.Snapshots.Count > 0)
            held.Add(new SnapshotSchedule(image.Volume, image.Pfs.Label, choices.Snapshots, TimeProvider.System, context.Logger, context.Say));
        using ControlServer? control = choices.NoControl ? null : Answer(context, image.Volume, paths, held);
        choices.Keep.Remember(context, image, paths, session.Target, choices);
        using MediumWatch? watch = choices.Keep.Automatic ? new MediumWatch(image.Volume, held, context) : null;
        context.Results.Write(VerbResult.Of(new MountedShape(
            paths, image.Pfs.Label, session.Target, !image.Volume.IsWritable, Environment.ProcessId, !isChild && !context.Json, others)));
        foreach (string warning in image.Volume.Warnings)
            context.Say("warning: " + warning);
        if (isChild)
            BackgroundMount.LetGoOfParent();
        held.WaitForUnmount();
        return watch is { HasEndedMount: true } ? ExitCode.Partial : ExitCode.Success;
    }

    // A mount without its control channel is still a mount: what is in the way is said, and the files are shown.
    private static ControlServer? Answer(VerbContext context, Hammer2Volume volume, string paths, HeldMounts held)
    {
        try
        {
            return new ControlServer(
                ControlEndpoint.OfThisProcess(OpenedImage.Spec(paths).Paths), new LiveRunner(volume, paths, held, context.MountHost), context.Logger);
        }
        catch (ControlException failure)
        {
            context.Say($"warning: {failure.Message}");
            return null;
        }
    }

    // In the process that has the volume open: another PFS of it, or the same one at a second place.
    private static int AddTo(LiveVolume live, VerbContext context, string imageName, string target, MountChoices choices)
    {
        if (context.MountHost.WhyUnavailable() is { } problem)
            throw new CliException(ExitCode.CannotOpen, "mounting is not possible here: " + problem);
        if (choices.Snapshots.Count > 0)
            throw CliException.Usage($"{live.Paths} is mounted already; --snapshots is for the mount that opens the volume");
        if (choices.ReadWrite && !live.Volume.IsWritable)
            throw new CliException(ExitCode.CannotOpen, $"{live.Paths} is mounted read-only; unmount it first to mount it with --read-write");
        OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        try
        {
            bool readOnly = choices.ReadOnly || !live.Volume.IsWritable;
            IMountSession session = live.Mounts.AddMount(Mount(context, new MountRequest(live.Paths, image.Pfs, OperatingSystem.IsWindows() ? target : context.HostPath(target), context.Logger)
            {
                ReadOnly = readOnly,
                CollectsWrites = choices.Writeback,
                Drive = choices.Drive,
            }));
            live.Mounts.Add(image);
            return context.Results.Write(VerbResult.Of(new MountedShape(live.Paths, image.Pfs.Label, session.Target, readOnly, Environment.ProcessId, false, [])));
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    private static OpenedImage Open(VerbContext context, string imageName, MountChoices choices)
    {
        bool writable = !choices.ReadOnly
            && (choices.ReadWrite || (!choices.Keep.Automatic && MountAccess.AreImageFiles(OpenedImage.Spec(imageName), context.Partition)));
        if (!writable)
        {
            OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            if (choices.ReadOnly || !RememberedAccess.IsReadWrite(image.Volume.FileSystemId))
                return image;
            image.Dispose();
        }

        try
        {
            return OpenedImage.OpenToMount(context, imageName);
        }
        catch (CliException failure) when (!choices.ReadWrite && failure.InnerException is Hammer2Exception { Error: Hammer2Error.ReadOnly })
        {
            context.Say($"{imageName} is write-protected: it is mounted for reading");
            return OpenedImage.OpenPfs(context, imageName);
        }
    }

    /// <summary>Mounts, with failures as one line for the user.</summary>
    internal static IMountSession Mount(VerbContext context, MountRequest request)
    {
        try
        {
            return context.MountHost.Mount(request);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            throw new CliException(ExitCode.CannotOpen, failure.Message, failure);
        }
    }
}

/// <summary>What is mounted and where.</summary>
internal sealed record MountedShape(
    string Image, string Label, string Target, bool ReadOnly, int Pid, bool Explains, IReadOnlyList<OtherPfs> Also) : ITextShape
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool Explains { get; init; } = Explains;

    public void WriteText(TextOutput output)
    {
        string access = ReadOnly ? "read-only" : "read-write";
        output.Line($"{Image}@{Label} is mounted at {Target}, {access}");
        foreach (OtherPfs other in Also)
            output.Line($"{Image}@{other.Label} is mounted at {other.Target}, {access}");
        if (Explains)
            output.Line($"Ctrl+C or 'hammer2 umount {Target}' ends it");
    }
}

/// <summary>What the user chose about a mount.</summary>
internal sealed record MountChoices(bool ReadOnly, bool ReadWrite, bool Writeback, bool NoControl, DriveChoices Drive, IReadOnlyList<OtherPfs> Others)
{
    /// <summary>What outlives the mount.</summary>
    public KeepChoices Keep { get; init; } = KeepChoices.None;

    /// <summary>Snapshots by the clock; empty for none.</summary>
    public IReadOnlyList<SnapshotRule> Snapshots { get; init; } = [];

    /// <summary>The same for the process in the background.</summary>
    public IEnumerable<string> AsArguments()
    {
        if (ReadOnly)
            yield return "--read-only";
        if (ReadWrite)
            yield return "--read-write";
        if (Writeback)
            yield return "--writeback";
        if (NoControl)
            yield return "--no-control";
        foreach (string argument in Keep.AsArguments())
            yield return argument;

        if (Snapshots.Count > 0)
        {
            yield return "--snapshots";
            yield return string.Join(',', Snapshots);
        }

        foreach (string argument in Drive.AsArguments())
            yield return argument;
        foreach (OtherPfs other in Others)
        {
            yield return "--also";
            yield return $"{other.Label}={other.Target}";
        }
    }
}
