// `hammer2 stat`: every attribute of the given entries. Invariant: a path that fails does not keep the others from being
// shown.
// May call Listing and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Pfs;

namespace Hammer2.Cli.Verbs;

/// <summary>Shows attributes.</summary>
internal static class StatVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = new("PATH")
        {
            Description = "Paths inside the PFS.",
            Arity = ArgumentArity.OneOrMore,
        };
        var follow = new Option<bool>("--dereference", "-L") { Description = "Follow a symbolic link at the end of the path." };
        return new VerbCommand(
            "stat",
            "Show all attributes of entries.",
            "hammer2 stat disk.img@DATA /etc/fstab",
            "hammer2 stat --json disk.img@DATA / /home")
        {
            image, paths, follow,
        }.Lives().Runs((context, parsed) =>
            Stat(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), parsed.GetValue(follow)));
    }

    private static VerbResult Stat(VerbContext context, string imageName, string[] paths, bool follow)
    {
        var failures = new FailureList();
        return VerbResult.Listing("entries", Entries(), failures);

        IEnumerable<ITextShape> Entries()
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            var resolver = new PathResolver(image.Pfs);
            bool first = true;
            foreach (string path in paths)
            {
                if (One(image, resolver, path, follow, failures) is not { } sheet)
                    continue;
                if (!first)
                    yield return new TextLine("");
                first = false;
                yield return sheet;
            }
        }
    }

    private static StatSheet? One(OpenedImage image, PathResolver resolver, string path, bool follow, FailureList failures)
    {
        try
        {
            using ResolvedPath resolved = resolver.Resolve(path, follow);
            return StatSheet.Of(resolved.ToEntry(), image.Pfs, failures);
        }
        catch (CliException failure)
        {
            failures.Add(Failure.At(MediaText.Parse(path), "not_readable", failure.Message) with { Line = failure.Message });
            return null;
        }
    }
}

/// <summary>The attributes as a sheet of facts.</summary>
internal sealed class StatSheet : EntryShape, ITextShape
{
    private StatSheet(Seed seed)
        : base(seed)
    {
    }

    public static StatSheet Of(TreeEntry entry, PfsMount pfs, FailureList failures) =>
        Fill(entry, pfs, failures, seed => new StatSheet(seed) { Type = seed.TypeName });

    public void WriteText(TextOutput output)
    {
        output.Fact("path", ShownPath);
        output.Fact("type", Type);
        if (Type == "symlink")
            output.Fact("target", ShownTarget ?? "? (" + Error + ")");
        output.Fact("mode", $"{Mode} ({ShownMode})");
        output.Fact("owner", $"uid {Uid}, gid {Gid}");
        if (Size is { } size)
            output.Fact("size", $"{size} bytes ({ByteSize.Show(size)})");
        if (Rdev is not null)
            output.Fact("device", $"major {Rdev[0]}, minor {Rdev[1]}");
        output.Fact("allocated", $"{Allocated} bytes ({ByteSize.Show(Allocated ?? 0)})");
        output.Fact("links", Nlink);
        output.Fact("inode", Inum);
        output.Fact("parent inode", ParentInum);
        output.Fact("modified", Times.ShowFull(MtimeUs ?? 0));
        output.Fact("changed", Times.ShowFull(CtimeUs ?? 0));
        output.Fact("accessed", AtimeUs is null or 0 ? "not recorded" : Times.ShowFull(AtimeUs.Value));
        if (BtimeUs is { } birth)
            output.Fact("born", Times.ShowFull(birth));
        if (Uflags is { } flags)
            output.Fact("flags", $"0x{flags:x}");
        output.Fact("check", Check);
        output.Fact("compression", CompLevel is null ? Comp : $"{Comp}:{CompLevel}");
    }
}
