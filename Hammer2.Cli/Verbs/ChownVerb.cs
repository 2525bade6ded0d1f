// `hammer2 chown`: changes owner and group. Numbers only: names would be those of this computer, and mean others on the
// system that the volume belongs to. Invariant: set-id bits go when the owner changes, as chown(2) does it.
// May call Trees and Output.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Changes owners.</summary>
internal static class ChownVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var owner = new Argument<string>("UID[:GID]") { Description = "Numbers: 1001, 1001:20 or :20." };
        owner.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && !TryParse(result.Tokens[0].Value, out _, out _))
                result.AddError($"UID[:GID] is in numbers such as 1001, 1001:20 or :20, not '{result.Tokens[0].Value}'");
        });
        Argument<string[]> paths = Changing.Paths("What to change, or patterns; links are followed.");
        var recursive = new Option<bool>("--recursive", "-R") { Description = "Change directories and everything below them." };
        var noFollow = new Option<bool>("--no-dereference", "-h") { Description = "Change a link itself, not what it leads to." };
        return new VerbCommand(
            "chown",
            "Change owner and group.",
            "hammer2 chown disk.img@DATA 1001:20 /home/me",
            "hammer2 chown -R disk.img@DATA :0 /srv")
        {
            image, owner, paths, recursive, noFollow,
        }.Runs((context, parsed) => Change(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(owner),
            parsed.GetRequiredValue(paths),
            parsed.GetValue(recursive),
            parsed.GetValue(noFollow)));
    }

    private static VerbResult Change(VerbContext context, string imageName, string owner, string[] paths, bool recursive, bool noFollow)
    {
        _ = TryParse(owner, out uint? uid, out uint? gid);
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            each.Run(
                paths,
                typed => image.Paths.Expand(typed, followLast: !noFollow),
                place => recursive ? each.RunBelow(place, ChangeOne) : ChangeOne(place.Node!));
            return new ChangedShape(each.Changed);
        });

        Hammer2Error ChangeOne(IFileNode node)
        {
            const uint SetIdBits = 0xC00;
            InodeAttributes attributes = node.GetAttributes();
            bool clears = node.Type == ObjectType.File && (attributes.Mode & SetIdBits) != 0;
            return node.TrySetAttributes(new AttributeChanges { Uid = uid, Gid = gid, Mode = clears ? attributes.Mode & ~SetIdBits : null });
        }
    }

    private static bool TryParse(string text, out uint? uid, out uint? gid)
    {
        (uid, gid) = (null, null);
        string[] parts = text.Split(':');
        if (parts.Length > 2 || text.Length == 0 || text == ":")
            return false;
        return TryParseOne(parts[0], out uid) && TryParseOne(parts.Length == 2 ? parts[1] : "", out gid);
    }

    // The highest number means "leave as it is" to chown(2) and is no owner.
    private static bool TryParseOne(string text, out uint? id)
    {
        id = null;
        if (text.Length == 0)
            return true;
        bool right = uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint value) && value != uint.MaxValue;
        id = value;
        return right;
    }
}
