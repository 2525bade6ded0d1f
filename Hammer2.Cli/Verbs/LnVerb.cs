// `hammer2 ln`: another name for a file, or a symbolic link. Invariants: nothing is replaced; the text of a symbolic link is
// stored as typed (after \xNN), whether or not it leads somewhere. May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Makes links.</summary>
internal static class LnVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var existing = new Argument<string>("EXISTING") { Description = "The file that gets another name; with -s the text of the link." };
        var link = new Argument<string>("LINK") { Description = "The new name, or an existing directory to make it in." };
        var symbolic = new Option<bool>("--symbolic", "-s") { Description = "Make a symbolic link." };
        return new VerbCommand(
            "ln",
            "Make hard and symbolic links in the volume.",
            "hammer2 ln disk.img@DATA /a.txt /b.txt",
            "hammer2 ln -s disk.img@DATA ../share/app /usr/app")
        {
            image, existing, link, symbolic,
        }.Runs((context, parsed) => Link(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(existing),
            parsed.GetRequiredValue(link),
            parsed.GetValue(symbolic)));
    }

    private static VerbResult Link(VerbContext context, string imageName, string existing, string link, bool symbolic) =>
        ChangedImage.Run(context, imageName, (image, failures) =>
        {
            byte[] text = MediaText.Parse(existing);
            using TreePlace? source = symbolic ? null : image.Paths.FindExisting(existing, followLast: false);
            using TreePlace place = image.Paths.Find(link, followLast: true);
            byte[] sourceName = source?.Name ?? LastName(text);
            bool into = place.IsDirectory;
            using TreePlace at = into
                ? new TreePlace(place.Node!, sourceName, null, EachPlace.Join(place.Path, sourceName), [], false)
                : image.Paths.Find(link, followLast: false);
            var each = new EachPlace(failures, context.Stop);
            each.Note(at.Path, source is not null ? at.Directory.TryLink(source.Node!, at.Name) : Symlink(image.Tree, at, text));
            return new ChangedShape(each.Changed);
        });

    private static Hammer2Error Symlink(IFileTree tree, TreePlace at, byte[] text)
    {
        if (at.Name.Length == 0)
            return Hammer2Error.Exists;
        var what = new NewInode
        {
            Type = ObjectType.Symlink,
            Mode = 0x1FF,
            Uid = Changing.OwnerIn(tree, at.Directory),
            SymlinkTarget = text,
        };
        Hammer2Error error = at.Directory.TryCreate(at.Name, what, out IFileNode? made);
        made?.Dispose();
        return error;
    }

    private static byte[] LastName(byte[] path)
    {
        ReadOnlySpan<byte> trimmed = path.AsSpan().TrimEnd((byte)'/');
        return trimmed[(trimmed.LastIndexOf((byte)'/') + 1)..].ToArray();
    }
}
