// `hammer2 touch`: sets access and modification times, to the microsecond; makes files that do not exist.
// Invariant: contents never change.
// May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Sets times.</summary>
internal static class TouchVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("Files and directories; links are followed. What does not exist is made, as an empty file.");
        var date = new Option<string?>("--date", "-d")
        {
            Description = "The time in UTC, such as 2024-01-31T12:00:00.123456, or @SECONDS since 1970; default now.",
            HelpName = "TIME",
        };
        Changing.Check(date, static text => Changing.TryParseTime(text, out _), "a time such as 2024-01-31T12:00:00 or @1706702400");
        var noCreate = new Option<bool>("--no-create", "-c") { Description = "Make nothing; what does not exist is no failure." };
        return new VerbCommand(
            "touch",
            "Set times, or make empty files.",
            "hammer2 touch disk.img@DATA /marker",
            "hammer2 touch -d 2024-01-31 disk.img@DATA /a.txt /b.txt")
        {
            image, paths, date, noCreate,
        }.Runs((context, parsed) => Touch(
            context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), parsed.GetValue(date), parsed.GetValue(noCreate)));
    }

    private static VerbResult Touch(VerbContext context, string imageName, string[] paths, string? date, bool noCreate)
    {
        long us = MediaTime.FromUtc(DateTime.UtcNow);
        if (date is not null)
            _ = Changing.TryParseTime(date, out us);
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            each.Run(paths, typed => image.Paths.ExpandOrNew(typed, followLast: true), place => TouchOne(image.Tree, place, us, noCreate, each));
            return new ChangedShape(each.Changed);
        });
    }

    private static Hammer2Error TouchOne(IFileTree tree, TreePlace place, long us, bool noCreate, EachPlace each)
    {
        var times = new AttributeChanges { AccessTimeUs = us, ModifyTimeUs = us };
        if (place.Node is not null)
            return place.Node.TrySetAttributes(times);
        if (noCreate)
        {
            each.Changed--;
            return Hammer2Error.None;
        }

        if (place.NeedsDirectory)
            return Hammer2Error.NotFound;
        var what = new NewInode { Type = ObjectType.File, Mode = Changing.FileMode, Uid = Changing.OwnerIn(tree, place.Directory) };
        Hammer2Error error = place.Directory.TryCreate(place.Name, what, out IFileNode? made);
        using (made)
            return error != Hammer2Error.None ? error : made!.TrySetAttributes(times);
    }
}
