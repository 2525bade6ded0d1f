// `hammer2 manifest`: every entry of a PFS with its attributes and a digest of its contents, in the
// shape, order and field order of the golden manifests. Files are hashed on all cores; memory is a
// window of entries, whatever the size of the tree (and one number per hard-linked inode).

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Prints manifests.</summary>
internal static class ManifestVerb
{
    /// <summary>Larger files get <c>sha256: null</c>: they are sparse, and hashing their holes would take hours.</summary>
    private const long HashedBytesMax = 64L << 30;

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        return new VerbCommand(
            "manifest",
            "Print every entry with its attributes and SHA-256 as JSON, for comparing trees.",
            "hammer2 manifest disk.img@DATA > before.json",
            "hammer2 manifest vol0.img:vol1.img@MV")
        {
            image,
        }.Lives().RunsRaw((context, parsed) =>
        {
            // A manifest has one form; --json changes nothing.
            var writer = new ResultWriter(context.Terminal, json: true);
            return writer.Write(List(context, parsed.GetRequiredValue(image)));
        });
    }

    private static VerbResult List(VerbContext context, string imageName)
    {
        // Opened before anything is printed, because the label stands first.
        OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        var failures = new FailureList();
        return new VerbResult(new ManifestHead(image.Pfs.Label))
        {
            ItemsName = "entries",
            Items = OpenEntries(),
            Failures = failures,
            HasFailuresInJson = false,
        };

        IEnumerable<ITextShape> OpenEntries()
        {
            using (image)
            {
                foreach (ManifestEntry entry in Entries(image, failures, context.Stop))
                    yield return entry;
            }
        }
    }

    /// <summary>All entries in path order.</summary>
    internal static IEnumerable<ManifestEntry> Entries(OpenedImage image, FailureList failures, CancellationToken stop)
    {
        var builder = new ManifestBuilder(image, failures, stop);
        return OrderedParallel.Select(builder.Drafts(), NeedsReading, builder.Finish, stop);
    }

    private static bool NeedsReading(ManifestDraft draft) =>
        draft.Step.Entry.IsReadable && draft.Step.Entry.Type is ObjectType.File or ObjectType.Symlink;

    private sealed record ManifestHead(string Label) : ITextShape
    {
        public void WriteText(TextOutput output) => output.Fact("label", Label);
    }

    /// <summary>An entry before its contents were read.</summary>
    private sealed record ManifestDraft(WalkStep Step, int? HardlinkGroup, string? DirectoryError);

    private sealed class ManifestBuilder(OpenedImage image, FailureList failures, CancellationToken stop)
    {
        private readonly Dictionary<ulong, int> _groups = [];

        public IEnumerable<ManifestDraft> Drafts()
        {
            // A directory is listed before its own entry is delivered, so that the entry can carry the error.
            TreeEntry root = Root();
            var walker = new TreeWalker(image.Pfs, failures, stop);
            foreach (WalkStep step in walker.Walk(root, WalkOrder.ByPathBytes))
            {
                if (!step.IsLeaving)
                    yield return new ManifestDraft(step, Group(step.Entry), walker.DamageOf(step.Entry));
            }
        }

        public ManifestEntry Finish(ManifestDraft draft)
        {
            TreeEntry entry = draft.Step.Entry;
            if (!entry.IsReadable)
                return new ManifestEntry(entry) { Error = ErrorText.OfEntry(entry.Error) };
            if (entry.Type == ObjectType.Symlink)
                return Link(draft);
            if (entry.Type != ObjectType.File || entry.Attributes.Size > HashedBytesMax)
                return new ManifestEntry(entry) { HardlinkGroup = draft.HardlinkGroup, Error = draft.DirectoryError };
            try
            {
                string digest = FileDigest.Sha256(image.Pfs, entry.InodeNumber, stop);
                return new ManifestEntry(entry) { HardlinkGroup = draft.HardlinkGroup, Sha256 = digest };
            }
            catch (Hammer2Exception failure)
            {
                failures.Add(Failure.At(entry.Path, ErrorText.Code(failure.Error), failure.Message));
                return new ManifestEntry(entry) { HardlinkGroup = draft.HardlinkGroup, Error = failure.Message };
            }
        }

        private ManifestEntry Link(ManifestDraft draft)
        {
            TreeEntry entry = draft.Step.Entry;
            var (target, error) = LinkTarget.TryRead(image.Pfs, entry.InodeNumber);
            if (error is { } damage)
                failures.Add(Failure.At(entry.Path, damage.Code, damage.Message));
            return new ManifestEntry(entry) { HardlinkGroup = draft.HardlinkGroup, Target = target, Error = error?.Message };
        }

        private TreeEntry Root()
        {
            using var root = image.Pfs.OpenRoot();
            return TreeEntry.Of([(byte)'/'], root.GetAttributes());
        }

        // Groups are numbered in the order in which their first name appears.
        private int? Group(TreeEntry entry)
        {
            if (!entry.IsReadable || entry.IsDirectory || entry.Attributes.LinkCount < 2)
                return null;
            if (!_groups.TryGetValue(entry.InodeNumber, out int group))
                _groups.Add(entry.InodeNumber, group = _groups.Count + 1);
            return group;
        }
    }
}
