// What a repair does to names and links, seen from the tree: contents of orphans under lost+found, link counts, names that lead
// nowhere, and what is left alone because it cannot be known.

using System.Text;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class RepairNamesTests
{
    private const string Base = "damage-base";

    [TestMethod]
    [DataRow(0UL)]
    [DataRow(1UL)]
    [DataRow(7UL)]
    [DataRow(ulong.MaxValue)]
    public void LinkCountsBecomeTheNumberOfNames(ulong wrong)
    {
        var editor = new ImageEditor(Base);
        foreach (ulong right in (ulong[])[1, 3])
        {
            MediaBlock file = editor.FirstInode(d => d.Type == ObjectType.File && d.LinkCount == right);
            if (wrong == right)
                continue;
            ulong number = editor.Inode(file).InodeNumber;
            var damaged = new ImageEditor(Base);
            damaged.EditInode(damaged.FirstInode(d => d.InodeNumber == number), (ref d) => d.LinkCount = wrong);
            RepairReport report = RepairTests.RepairTwice([damaged.Finished]);
            Assert.IsTrue(report.After.IsClean, report.ToString());
            Assert.AreEqual("nlinks", report.Actions.Single().Code.Name);
            Assert.AreEqual(right, new ImageEditor(damaged.Finished).Inode(new ImageEditor(damaged.Finished).FirstInode(d => d.InodeNumber == number)).LinkCount);
        }
    }

    [TestMethod]
    public void OrphanedFileIsReadableInLostAndFound()
    {
        var editor = new ImageEditor(Base);
        TreePicture sound = TreePicture.Of(editor.Finished);
        RefSlot entry = editor.FirstRef(BlockRefType.Dirent, s => s.Ref.DirentType == ObjectType.File && LinksOf(editor, s) == 1);
        KeyValuePair<string, PictureEntry> file = sound.Entries.Single(e => e.Value.Inode == entry.Ref.DirentInode && e.Key.StartsWith("DATA:", StringComparison.Ordinal));
        editor.EditRef(entry, (ref r) => r = default);
        RepairReport report = RepairTests.RepairTwice([editor.Finished]);
        Assert.IsTrue(report.After.IsClean, report.ToString());
        PictureEntry found = Find(editor.Finished, $"/lost+found/#{entry.Ref.DirentInode}");
        Assert.AreEqual(file.Value.Content, found.Content);
        Assert.AreEqual(file.Value.Attributes, found.Attributes, "nothing of the file itself changes");
    }

    [TestMethod]
    public void OrphanedDirectoryKeepsItsChildren()
    {
        var editor = new ImageEditor(Base);
        TreePicture sound = TreePicture.Of(editor.Finished);
        RefSlot entry = editor.FirstRef(
            BlockRefType.Dirent,
            s => s.Ref.DirentType == ObjectType.Directory && sound.Entries.Keys.Count(k => k.Contains(Segment(s), StringComparison.Ordinal)) > 3);
        string[] before = Contents(sound, Segment(entry));
        editor.EditRef(entry, (ref r) => r = default);
        RepairReport report = RepairTests.RepairTwice([editor.Finished]);
        Assert.IsTrue(report.After.IsClean, report.ToString());
        Assert.AreEqual(1, report.Actions.Count(a => a.Message.StartsWith("Named lost+found/", StringComparison.Ordinal)), "its children have names: only the top is rescued");
        string[] after = Contents(TreePicture.Of(editor.Finished), Shown($"#{entry.Ref.DirentInode}") + "/");
        CollectionAssert.AreEquivalent(before, after);
    }

    [TestMethod]
    public void DanglingNameGoesAndIsReported()
    {
        var editor = new ImageEditor(Base);
        RefSlot entry = editor.FirstRef(BlockRefType.Dirent, s => s.Ref.DirentType == ObjectType.File && LinksOf(editor, s) == 1);
        editor.EditRef(entry, (ref r) => r.DirentInode = 0x7777777);
        RepairReport report = RepairTests.RepairTwice([editor.Finished]);
        Assert.AreEqual("Name removed.", report.Actions.Single(a => a.Code.Name == "dirent-dangling").Message);
        Assert.IsTrue(report.After.IsClean, report.ToString());
        Assert.IsFalse(TreePicture.Of(editor.Finished).Entries.Keys.Any(k => k.EndsWith("/" + Segment(entry).TrimEnd('/'), StringComparison.Ordinal)));
    }

    [TestMethod]
    public void NameOfAnUnreadableInodeStays()
    {
        // The inode is there, it only cannot be read: its name says what was lost.
        var editor = new ImageEditor(Base);
        MediaBlock lost = editor.FirstInode(d => d.Type == ObjectType.File && d.LinkCount == 1);
        ulong number = editor.Inode(lost).InodeNumber;
        editor.EditBlock(lost, b => b[0x200] ^= 1, repair: false);
        RepairReport report = RepairTests.RepairTwice([editor.Finished]);
        Assert.AreEqual(0, report.Commits, report.ToString());
        Assert.IsTrue(TreePicture.Of(editor.Finished).Entries.Values.Any(e => e.Inode == number));
    }

    [TestMethod]
    public void OrphanIsLeftAloneWhereNamesAreLost()
    {
        // Its name may be in the directory that cannot be read.
        var editor = new ImageEditor(Base);
        RefSlot entry = editor.FirstRef(BlockRefType.Dirent, s => s.Ref.DirentType == ObjectType.File && LinksOf(editor, s) == 1);
        MediaBlock other = editor.FirstInode(d => d.Type == ObjectType.Directory && d.InodeNumber != editor.Inode(editor.FirstInode(x => x.InodeNumber == entry.Ref.DirentInode)).ParentInode);
        editor.EditRef(entry, (ref r) => r = default);
        editor.EditBlock(other, b => b[0x20] ^= 1, repair: false);
        RepairReport report = RepairTests.RepairTwice([editor.Finished]);
        Assert.IsFalse(report.Actions.Any(a => a.Message.StartsWith("Named lost+found/", StringComparison.Ordinal)), report.ToString());
        Assert.IsFalse(TreePicture.Of(editor.Finished).Entries.Keys.Any(k => k.Contains("lost+found", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void TakenLostAndFoundIsNotOverwritten()
    {
        // A file has that name already: the directory takes another.
        var b = new ImageBuilder();
        b.AddEmbedded("lost+found", "mine"u8);
        ulong orphan = b.NewInodeNumber();
        b.AddInode(orphan, ImageBuilder.EmbeddedInodeBlock(orphan, ObjectType.File, "nameless"u8));
        OverlayDevice device = RepairTests.WithAreas(b.Finish());
        RepairReport report = RepairTests.RepairTwice([device]);
        Assert.IsTrue(report.After.IsClean, report.ToString());
        Assert.IsNotNull(Find(device, "/lost+found").Content);
        Assert.IsNotNull(Find(device, $"/lost+found~2/#{orphan}").Content);
    }

    [TestMethod]
    public void DeletedInodeIsNotRescued()
    {
        var b = new ImageBuilder();
        b.AddEmbedded("file", "x"u8);
        ulong deleted = b.NewInodeNumber();
        b.AddInode(deleted, ImageBuilder.EmbeddedInodeBlock(deleted, ObjectType.File, "deleted"u8, (ref d) => d.LinkCount = 0));
        OverlayDevice device = RepairTests.WithAreas(b.Finish());
        RepairReport report = RepairTests.RepairTwice([device]);
        Assert.AreEqual(0, report.After.CountOf("orphan-unlinked"), report.ToString());
        Assert.HasCount(1, TreePicture.Of(device).Entries);
    }

    private static ulong LinksOf(ImageEditor e, RefSlot s) =>
        e.Inode(e.FirstInode(d => d.InodeNumber == s.Ref.DirentInode)).LinkCount;

    private static PictureEntry Find(IBlockDevice device, string path)
    {
        string end = string.Join('/', path.Split('/').Skip(1).Select(Shown));
        return TreePicture.Of(device).Entries.Single(e => e.Key.EndsWith(":/" + end, StringComparison.Ordinal)).Value;
    }

    private static string[] Contents(TreePicture picture, string segment) =>
        [.. picture.Entries.Where(e => e.Key.Contains("/" + segment, StringComparison.Ordinal))
            .Select(e => $"{e.Key[(e.Key.IndexOf(segment, StringComparison.Ordinal) + segment.Length)..]} {e.Value.Inode} {e.Value.Content} {e.Value.Attributes}")];

    // A name as pictures show it.
    private static string Shown(string name) => $"{Convert.ToHexString(Encoding.UTF8.GetBytes(name))}|{name}";

    private static string Segment(RefSlot entry)
    {
        BlockRef bref = entry.Ref;
        return Shown(Encoding.UTF8.GetString(ImageBuilder.Area(ref bref)[..Math.Min(64, (int)bref.DirentNameLength)])) + "/";
    }
}
