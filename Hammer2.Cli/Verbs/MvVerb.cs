// `hammer2 mv`: renames and moves inside the volume. Invariant: one rename per source, which is done or not done as a
// whole; a file at the target is replaced as rename(2) does unless --no-clobber. May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Moves names.</summary>
internal static class MvVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> names = Changing.SourcesAndTarget(
            "TARGET", "Paths of the PFS, or patterns; then the new name, or an existing directory to move into.");
        var keep = new Option<bool>("--no-clobber", "-n") { Description = "Refuse to replace what exists." };
        var exchange = new Option<bool>("--exchange") { Description = "Swap SOURCE and TARGET; both must exist." };
        return new VerbCommand(
            "mv",
            "Rename or move inside the volume.",
            "hammer2 mv disk.img@DATA /a.txt /b.txt",
            "hammer2 mv disk.img@DATA '/in/*.log' /old",
            "hammer2 mv --exchange disk.img@DATA /current /next")
        {
            image, names, keep, exchange,
        }.Runs((context, parsed) => Move(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(names)[..^1],
            parsed.GetRequiredValue(names)[^1],
            parsed.GetValue(keep),
            parsed.GetValue(exchange)));
    }

    private static VerbResult Move(VerbContext context, string imageName, string[] sources, string target, bool keep, bool exchange)
    {
        if (exchange && (keep || sources.Length != 1))
            throw CliException.Usage("--exchange swaps one SOURCE with TARGET and goes without --no-clobber");
        RenameMode mode = exchange ? RenameMode.Exchange : keep ? RenameMode.NoReplace : RenameMode.Replace;
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            // An exchange means the names themselves, also when TARGET is a directory or a link.
            using TreePlace to = image.Paths.Find(target, followLast: false);
            using TreePlace followed = image.Paths.Find(target, followLast: true);
            bool into = !exchange && followed.IsDirectory;
            List<TreePlace> places = [.. sources.SelectMany(source => image.Paths.Expand(source, followLast: false))];
            if (places.Count > 1 && !into)
                throw CliException.Usage($"{target}: with several sources the target must be an existing directory");
            var each = new EachPlace(failures, context.Stop);
            foreach (TreePlace place in places)
            {
                using (place)
                {
                    if (place.IsRoot || exchange && to.IsRoot)
                        throw CliException.Usage("the root of a PFS cannot be moved");
                    each.Note(place.Path, into
                        ? place.Directory.TryRename(place.Name, followed.Node!, place.Name, mode)
                        : place.Directory.TryRename(place.Name, to.Directory, to.Name, mode));
                }
            }

            return new ChangedShape(each.Changed);
        });
    }
}
