// `hammer2 destroy`, `destroy-inum`, `emergency-mode-enable`, `emergency-mode-disable`: the directives for volumes that nothing else
// helps any more. Invariants: each does exactly what its name says and nothing besides; what they leave (orphans, names that lead
// nowhere) is for fsck --repair. May call Listing and Output.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs for the last resort.</summary>
internal static class RescueVerbs
{
    public static IEnumerable<VerbCommand> Create() => [Destroy(), DestroyInode(), Emergency(true), Emergency(false)];

    private static VerbCommand Destroy()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("Names to remove; what they lead to stays.");
        return new VerbCommand(
            "destroy",
            "Remove directory entries and nothing else, also where what they lead to is damaged.",
            "hammer2 destroy disk.img@DATA /home/broken")
        {
            image, paths,
        }.Lives().Runs((context, parsed) => Each(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), DestroyName));
    }

    private static Hammer2Error DestroyName(OpenedImage image, string typed)
    {
        byte[] path = MediaText.Parse(typed);
        int end = path.Length;
        while (end > 0 && path[end - 1] == '/')
            end--;
        if (end == 0)
            throw CliException.Usage("the root directory has no name that could be destroyed");
        int slash = Array.LastIndexOf(path, (byte)'/', end - 1);
        byte[] name = path[(slash + 1)..end];
        string parent = slash <= 0 ? "/" : MediaText.Show(path.AsSpan(0, slash));
        using ResolvedPath directory = new PathResolver(image.Pfs).Resolve(parent, followLast: true);
        return image.Pfs.TryDestroyName(directory.Node, name);
    }

    private static VerbCommand DestroyInode()
    {
        Argument<string> image = GlobalOptions.Image();
        var numbers = new Argument<string[]>("INUM") { Description = "Inode numbers, as stat and fsck print them; 0x for hexadecimal.", Arity = ArgumentArity.OneOrMore };
        return new VerbCommand(
            "destroy-inum",
            "Remove inodes and nothing else: their names stay and lead nowhere.",
            "hammer2 destroy-inum disk.img@DATA 1234")
        {
            image, numbers,
        }.Lives().Runs((context, parsed) => Each(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(numbers), static (image, text) =>
        {
            bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
            if (!ulong.TryParse(isHex ? text.AsSpan(2) : text, isHex ? NumberStyles.HexNumber : NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
                throw CliException.Usage($"'{text}' is no inode number; 'hammer2 stat' shows them");
            return number > FormatLimits.RootInodeNumber
                ? image.Pfs.TryDestroyInode(number)
                : throw new CliException(ExitCode.Partial, $"{text}: the root of a PFS is not removed this way; pfs-delete removes the PFS");
        }));
    }

    private static VerbResult Each(VerbContext context, string imageName, string[] things, Func<OpenedImage, string, Hammer2Error> change)
    {
        var failures = new FailureList();
        long changed = 0;
        using (OpenedImage image = OpenedImage.OpenPfs(context, imageName, writable: true))
        {
            foreach (string thing in things)
            {
                try
                {
                    Hammer2Error error = change(image, thing);
                    if (error == Hammer2Error.None)
                        changed++;
                    else
                        failures.Add(Failure.At(MediaText.Parse(thing), ErrorText.Code(error), ErrorText.Of(error)));
                }
                catch (CliException failure) when (failure.ExitCode == ExitCode.Partial)
                {
                    failures.Add(Failure.At(MediaText.Parse(thing), "not_found", failure.Message) with { Line = failure.Message });
                }
            }

            image.Volume.Sync();
        }

        return new VerbResult(new ChangedShape(changed)) { Failures = failures };
    }

    private static VerbCommand Emergency(bool on)
    {
        Argument<string> volume = new("VOLUME") { Description = "A mounted image, or where it is mounted." };
        string name = on ? "emergency-mode-enable" : "emergency-mode-disable";
        return new VerbCommand(
            name,
            on ? "Let a mounted volume that is full to the last block be emptied: only removing works, and it may use everything." : "End emergency mode.",
            $"hammer2 {name} {MountVerb.ExampleTarget}")
        {
            volume,
        }.Lives().Runs((context, parsed) =>
        {
            if (context.Live is null)
                throw new CliException(ExitCode.CannotOpen, $"emergency mode is a state of a mount, and {parsed.GetRequiredValue(volume)} is not mounted; mount it first");
            return VolumeChange.Run(context, parsed.GetRequiredValue(volume), opened =>
            {
                opened.EmergencyMode = on;
                return new EmergencyShape(opened.EmergencyMode, opened.FreeBytes);
            });
        });
    }
}

/// <summary>State of the mode.</summary>
internal sealed record EmergencyShape(bool EmergencyMode, long FreeBytes) : ITextShape
{
    public void WriteText(TextOutput output) =>
        output.Line(EmergencyMode ? "emergency mode is on: remove what is not needed, then run bulkfree and switch it off" : $"emergency mode is off, {ByteSize.Show(FreeBytes)} are free");
}
