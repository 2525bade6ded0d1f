// `hammer2 chmod`: changes permissions, in octal or in clauses. Invariant: links on the way are followed, links below a
// directory that is changed with --recursive are left alone. May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Changes permissions.</summary>
internal static class ChmodVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var mode = new Argument<string>("MODE") { Description = "Octal such as 644, or clauses such as u+rwX,go-w (without a letter: all)." };
        mode.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && !ModeChange.TryParse(result.Tokens[0].Value, out _))
                result.AddError($"MODE is octal such as 644 or clauses such as u+x,go-w, not '{result.Tokens[0].Value}'");
        });
        Argument<string[]> paths = Changing.Paths("What to change, or patterns; links are followed.");
        var recursive = new Option<bool>("--recursive", "-R") { Description = "Change directories and everything below them." };
        return new VerbCommand(
            "chmod",
            "Change permissions.",
            "hammer2 chmod disk.img@DATA 644 /a.txt",
            "hammer2 chmod -R disk.img@DATA u=rwX,go=rX /srv")
        {
            image, mode, paths, recursive,
        }.Runs((context, parsed) => Change(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(mode),
            parsed.GetRequiredValue(paths),
            parsed.GetValue(recursive)));
    }

    private static VerbResult Change(VerbContext context, string imageName, string mode, string[] paths, bool recursive)
    {
        _ = ModeChange.TryParse(mode, out ModeChange change);
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            each.Run(
                paths,
                typed => image.Paths.Expand(typed, followLast: true),
                place => recursive ? each.RunBelow(place, ChangeOne) : ChangeOne(place.Node!));
            return new ChangedShape(each.Changed);
        });

        Hammer2Error ChangeOne(IFileNode node)
        {
            if (node.Type == ObjectType.Symlink)
                return Hammer2Error.None;
            InodeAttributes attributes = node.GetAttributes();
            return node.TrySetAttributes(new AttributeChanges { Mode = change.Apply(attributes.Mode, node.Type == ObjectType.Directory) });
        }
    }
}
