// `hammer2 mkdir`: makes directories. Invariant: with --parents an existing directory is no failure and keeps its mode.
// May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Makes directories.</summary>
internal static class MkdirVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths(@"Directories to make; \xNN stands for one byte, \\ for a backslash.");
        var parents = new Option<bool>("--parents", "-p") { Description = "Make missing directories above, too; existing ones are no failure." };
        var mode = new Option<string?>("--mode", "-m") { Description = "Permissions in octal, or such as u=rwx,go=rx (default 755).", HelpName = "MODE" };
        Changing.Check(mode, static text => ModeChange.TryParse(text, out _), "a mode such as 750 or u=rwx,go=");
        return new VerbCommand(
            "mkdir",
            "Make directories in the volume.",
            "hammer2 mkdir disk.img@DATA /backup",
            "hammer2 mkdir -p -m 750 disk.img@DATA /srv/www/htdocs")
        {
            image, paths, parents, mode,
        }.Runs((context, parsed) => Make(
            context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), parsed.GetValue(parents), parsed.GetValue(mode)));
    }

    private static VerbResult Make(VerbContext context, string imageName, string[] paths, bool parents, string? mode)
    {
        uint wanted = Changing.DirectoryMode;
        if (mode is not null && ModeChange.TryParse(mode, out ModeChange change))
            wanted = change.Apply(Changing.DirectoryMode, isDirectory: true);
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            foreach (string path in paths)
            {
                string[] steps = parents ? [.. Above(path), path] : [path];
                for (int i = 0; i < steps.Length; i++)
                {
                    uint own = i == steps.Length - 1 ? wanted : Changing.DirectoryMode;
                    int before = failures.Count;
                    each.Run([steps[i]], typed => [image.Paths.Find(typed, followLast: true)], place => MakeOne(image.Tree, place, own, parents, each));
                    if (failures.Count > before)
                        break;
                }
            }

            return new ChangedShape(each.Changed);
        });
    }

    private static Hammer2Error MakeOne(IFileTree tree, TreePlace place, uint mode, bool mayExist, EachPlace each)
    {
        if (place.Node is not null)
        {
            if (!mayExist || !place.IsDirectory)
                return Hammer2Error.Exists;
            each.Changed--;
            return Hammer2Error.None;
        }

        var what = new NewInode { Type = ObjectType.Directory, Mode = mode, Uid = Changing.OwnerIn(tree, place.Directory) };
        Hammer2Error error = place.Directory.TryCreate(place.Name, what, out IFileNode? made);
        made?.Dispose();
        return error;
    }

    // "/a", "/a/b" of "/a/b/c".
    private static IEnumerable<string> Above(string path)
    {
        string trimmed = path.TrimEnd('/');
        for (int at = trimmed.IndexOf('/', 1); at > 0; at = trimmed.IndexOf('/', at + 1))
        {
            if (trimmed[at - 1] != '/')
                yield return trimmed[..at];
        }
    }
}
