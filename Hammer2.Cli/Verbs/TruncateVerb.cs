// `hammer2 truncate`: cuts or extends files. What is added is a hole. Invariant: a size below zero becomes zero, as
// truncate(1) has it; what overflows is refused.
// May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Sets sizes.</summary>
internal static class TruncateVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("Files; links are followed. What does not exist is made.");
        var size = new Option<string?>("--size", "-s")
        {
            Description = "Bytes, or with K, M, G, T; +SIZE extends by, -SIZE cuts by.",
            HelpName = "[+-]SIZE",
            Required = true,
        };
        Changing.Check(size, static text => ByteSize.TryParse(text.TrimStart('+', '-'), out _) && text.TrimStart('+', '-').Length >= text.Length - 1,
            "a size such as 1M, +64K or -100");
        var noCreate = new Option<bool>("--no-create", "-c") { Description = "Make nothing; what does not exist is no failure." };
        return new VerbCommand(
            "truncate",
            "Cut or extend files.",
            "hammer2 truncate -s 0 disk.img@DATA /var/log/messages",
            "hammer2 truncate -s +1G disk.img@DATA /disk.raw")
        {
            image, paths, size, noCreate,
        }.Runs((context, parsed) => Truncate(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(paths),
            parsed.GetRequiredValue(size)!,
            parsed.GetValue(noCreate)));
    }

    private static VerbResult Truncate(VerbContext context, string imageName, string[] paths, string size, bool noCreate)
    {
        _ = ByteSize.TryParse(size.TrimStart('+', '-'), out long amount);
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            each.Run(paths, typed => image.Paths.ExpandOrNew(typed, followLast: true), place =>
            {
                if (place.Node is null && noCreate)
                {
                    each.Changed--;
                    return Hammer2Error.None;
                }

                Hammer2Error error = OpenForWriting(image.Tree, place, out IFileNode? file);
                using (file)
                    return error != Hammer2Error.None ? error : SetSize(file!, size[0], amount);
            });
            return new ChangedShape(each.Changed);
        });
    }

    /// <summary>Opens the file at a place for writing, or makes it.</summary>
    internal static Hammer2Error OpenForWriting(IFileTree tree, TreePlace place, out IFileNode? file)
    {
        file = null;
        if (place.NeedsDirectory || place.IsDirectory)
            return place.Node is null ? Hammer2Error.NotFound : Hammer2Error.IsADirectory;
        if (place.Node is null)
        {
            var what = new NewInode { Type = ObjectType.File, Mode = Changing.FileMode, Uid = Changing.OwnerIn(tree, place.Directory) };
            return place.Directory.TryCreate(place.Name, what, out file);
        }

        return place.Node.Type == ObjectType.File
            ? place.Directory.TryLookup(place.Name, NodeUse.Write, out file)
            : Hammer2Error.InvalidArgument;
    }

    private static Hammer2Error SetSize(IFileNode file, char sign, long amount)
    {
        long now = file.GetAttributes().Size;
        if (sign == '+' && amount > long.MaxValue - now)
            return Hammer2Error.FileTooLarge;
        long size = sign switch
        {
            '+' => now + amount,
            '-' => Math.Max(0, now - amount),
            _ => amount,
        };
        return file.TrySetSize(size);
    }
}
