// `hammer2 recover`, `recover-relaxed`, `recover-file`: gets back what no tree leads to any more. Invariants: the medium is only
// read, whoever has it open; DESTDIR is new or empty, and not on the volume itself. May call Copying, Listing and Output.

using System.CommandLine;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs that recover.</summary>
internal static class RecoverVerbs
{
    public static IEnumerable<VerbCommand> Create() =>
    [
        Verb("recover", "Restore deleted files and old versions from a raw scan; whole ones only.", filesOnly: false, relaxed: false),
        Verb("recover-relaxed", "The same, also what is damaged, as far as it can be read.", filesOnly: false, relaxed: true),
        Verb("recover-file", "The same as recover, regular files with that name only.", filesOnly: true, relaxed: false),
    ];

    private static VerbCommand Verb(string name, string description, bool filesOnly, bool relaxed)
    {
        var device = new Argument<string>("DEVICE") { Description = "Image, disk or partition, or where it is mounted; several volumes with colons between." };
        var path = new Argument<string>("PATH") { Description = "A name or the tail of a path; with a slash first, a path from the root of its PFS." };
        var target = new Argument<string>("DESTDIR") { Description = "A folder to restore into: a new or an empty one." };
        return new VerbCommand(name, description, $"hammer2 {name} disk.img letters/2026.txt ./restored", $"hammer2 {name} /dev/sdb1 /home/me/notes.txt ./restored")
        {
            device, path, target,
        }.Runs((context, parsed) => Recover(
            context, parsed.GetRequiredValue(device), parsed.GetRequiredValue(path), parsed.GetRequiredValue(target), filesOnly, relaxed));
    }

    private static VerbResult Recover(VerbContext context, string device, string typed, string target, bool filesOnly, bool relaxed)
    {
        List<byte[]> names = Names(typed);
        if (names.Count == 0 && !typed.StartsWith('/'))
            throw CliException.Usage("PATH is empty; '/' means everything");
        IReadOnlyList<string> paths = Paths(context, device);
        string root = Destination(context, paths, target);
        MediaRecovery recovery = Open(paths, context.Partition, relaxed);
        try
        {
            ProgressDisplay.Run(context.Terminal, "scanning", () => recovery.Length, advance =>
            {
                recovery.Scan(names, new Advance(advance), context.Stop);
                return true;
            });
            IReadOnlyList<RecoveredName> found = recovery.Find(names, typed.StartsWith('/'), context.Stop);
            return Restore(context, recovery, found, root, $"nothing on {device} leads to '{typed}' any more", filesOnly, relaxed);
        }
        catch
        {
            recovery.Dispose();
            throw;
        }
    }

    private static VerbResult Restore(
        VerbContext context, MediaRecovery recovery, IReadOnlyList<RecoveredName> found, string root, string nothing, bool filesOnly, bool relaxed)
    {
        var failures = new FailureList();
        bool isNew = !Directory.Exists(root);
        Directory.CreateDirectory(root);
        ICopyDestination destination = OperatingSystem.IsWindows() ? new WindowsDestination(root) : new UnixDestination(root);
        var tree = new RecoveredTree(recovery, destination, filesOnly, relaxed, failures, context.Stop);
        return new VerbResult(new NoHead())
        {
            ItemsName = "restored",
            Items = Items(),
            Failures = failures,
            Tail = () => new RecoverySummary(root, tree.Restored, tree.DamagedVersions, recovery.UnreadableBytes, recovery.ForgottenCount, recovery.IsLayoutGuessed),
        };

        IEnumerable<ITextShape> Items()
        {
            try
            {
                using (recovery)
                {
                    foreach (RecoveredShape made in tree.Run(found, "root"u8.ToArray()))
                        yield return made;
                }
            }
            finally
            {
                // Also after Ctrl+C: a folder that was made for nothing goes again.
                if (isNew && !Directory.EnumerateFileSystemEntries(root).Any())
                    Directory.Delete(root);
            }

            if (tree.Restored == 0 && failures.Count == 0)
            {
                string hint = relaxed ? "" : "; recover-relaxed looks less strictly";
                failures.Add(Failure.OfVolume("not_found", nothing + hint));
            }
        }
    }

    private static List<byte[]> Names(string typed)
    {
        var names = new List<byte[]>();
        byte[] path = MediaText.Parse(typed);
        foreach (Range range in path.AsSpan().Split((byte)'/'))
        {
            byte[] name = path[range];
            if (name.Length == 0)
                continue;
            if (name.AsSpan().SequenceEqual("."u8) || name.AsSpan().SequenceEqual(".."u8))
                throw CliException.Usage("PATH must not have '.' or '..' in it: no name on the medium is like that");
            names.Add(name);
        }

        return names;
    }

    // A mount is named by its place too.
    private static IReadOnlyList<string> Paths(VerbContext context, string device)
    {
        if (MountAt(context, device) is { } mount)
            return OpenedImage.Spec(mount.Image).Paths;
        VolumeSpec spec = OpenedImage.Spec(device);
        return spec.Label is null ? spec.Paths : throw CliException.Usage("recover looks at the whole medium; leave out '@" + spec.Label + "'");
    }

    private static MountedVolume? MountAt(VerbContext context, string place) => Directory.Exists(place)
        ? context.MountHost.List().FirstOrDefault(mount => string.Equals(mount.Target.TrimEnd('\\'), Path.GetFullPath(place).TrimEnd('/', '\\'), StringComparison.Ordinal))
        : null;

    private static MediaRecovery Open(IReadOnlyList<string> paths, int? partition, bool relaxed)
    {
        try
        {
            return MediaRecovery.Open(paths, partition, new RecoveryOptions { IsRelaxed = relaxed });
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCode.CannotOpen, failure is Hammer2Exception ? failure.Message : $"{paths[0]}: {failure.Message}", failure);
        }
    }

    // What is restored must not overwrite what is being searched.
    private static string Destination(VerbContext context, IReadOnlyList<string> images, string target)
    {
        if (target.Length == 0)
            throw CliException.Usage("DESTDIR has an empty name");
        string root = Path.GetFullPath(Path.TrimEndingDirectorySeparator(target));
        if (File.Exists(root) || Directory.Exists(root) && Directory.EnumerateFileSystemEntries(root).Any())
            throw CliException.Usage($"{root} exists and is not an empty directory; name a new one");
        string parent = Path.GetDirectoryName(root) ?? root;
        if (!Directory.Exists(parent))
            throw CliException.Usage($"{target}: the directory that should hold it does not exist");
        string real = Path.Combine(Real(parent), Path.GetFileName(root));
        if (Directory.Exists(root))
            real = Real(root);
        var wanted = images.Select(Path.GetFullPath).ToHashSet(StringComparer.Ordinal);
        foreach (MountedVolume mount in context.MountHost.List())
        {
            string inside = mount.Target.TrimEnd('/', '\\');
            bool below = real == inside || real.StartsWith(inside + Path.DirectorySeparatorChar, StringComparison.Ordinal);
            if (below && OpenedImage.Spec(mount.Image).Paths.Any(path => wanted.Contains(Path.GetFullPath(path))))
                throw CliException.Usage($"{target} is on the volume that is searched; restoring there would overwrite what is lost");
        }

        return root;
    }

    // All links on the way resolved.
    private static string Real(string directory)
    {
        string root = Path.GetPathRoot(directory)!, real = root;
        foreach (string part in directory[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, part);
            real = new DirectoryInfo(next).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? next;
        }

        return real;
    }

    private sealed class Advance(Action<long> step) : IProgress<long>
    {
        public void Report(long value) => step(value);
    }
}

/// <summary>What a recovery did.</summary>
internal sealed record RecoverySummary(
    string Destination, long Objects, long DamagedVersions, long UnreadableBytes, long Forgotten, bool LayoutGuessed) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        if (Objects > 0)
            output.Line($"{Objects} restored in {MediaText.Show(Destination)}");
        if (DamagedVersions > 0)
            output.Line($"{DamagedVersions} versions have lost blocks");
        if (UnreadableBytes > 0)
            output.Line($"{ByteSize.Show(UnreadableBytes)} of the medium cannot be read");
        if (Forgotten > 0)
            output.Line($"{Forgotten} old findings were more than memory holds; what is restored are the newer ones");
        if (LayoutGuessed)
            output.Line("no header is valid: the volumes were taken in the order given");
    }
}
