// Links and names that no golden image has: long chains of links, case pairs that clash with their own decoration,
// entries that must not be seen.

using System.Globalization;
using System.Text;
using DokanNet;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class CraftedVolumeTests
{
    private static ulong AddLink(ImageBuilder image, string text)
    {
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.Symlink, Encoding.UTF8.GetBytes(text)));
        return number;
    }

    private static ulong AddFile(ImageBuilder image, string content)
    {
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, Encoding.UTF8.GetBytes(content)));
        return number;
    }

    private static BlockRef Name(ImageBuilder image, string name, ulong number, ObjectType type = ObjectType.File) =>
        image.Dirent(Encoding.UTF8.GetBytes(name), number, type);

    private static string Read(DokanVolume volume, string path) => Encoding.UTF8.GetString(volume.Client.ReadAll(path));

    [TestMethod]
    public void N10_LinksAreFollowedThroughOtherLinksAndFortyTimesAtMost()
    {
        var image = new ImageBuilder();
        image.AddEmbedded("file", "content"u8);
        for (int i = 1; i <= 41; i++)
            image.AddName($"link{i}", AddLink(image, i == 1 ? "file" : $"link{i - 1}"), ObjectType.Symlink);
        ulong inner = AddFile(image, "inner");
        image.AddDirectory("dir", [Name(image, "inner", inner)]);
        image.AddName("dirlink", AddLink(image, "./dir/."), ObjectType.Symlink);
        image.AddName("through", AddLink(image, "dirlink//../dirlink/inner"), ObjectType.Symlink);
        image.AddName("above", AddLink(image, "dir/../../file"), ObjectType.Symlink);
        image.AddName("beneath-file", AddLink(image, "file/x"), ObjectType.Symlink);
        image.AddName("to-dirlink", AddLink(image, "dirlink"), ObjectType.Symlink);
        image.AddName("up-in-root", AddLink(image, "../file"), ObjectType.Symlink);
        using DokanVolume volume = DokanVolume.Mount(image);
        foreach (int i in new[] { 1, 2, 39, 40 })
            Assert.AreEqual("content", Read(volume, $"\\link{i}"), $"{i} links");
        Assert.AreEqual("link40", Read(volume, "\\link41"), "one more is too many");
        Assert.AreEqual("inner", Read(volume, "\\through"));
        Assert.AreEqual("dir/../../file", Read(volume, "\\above"), "above the root is another volume");
        Assert.AreEqual("../file", Read(volume, "\\up-in-root"));
        Assert.AreEqual("file/x", Read(volume, "\\beneath-file"));
        Assert.AreEqual("dirlink", Read(volume, "\\to-dirlink"));
        Assert.AreEqual(NtStatus.ObjectPathNotFound, volume.Try("\\dirlink\\inner", CreateDisposition.Open, DokanNet.FileAccess.ReadAttributes));
    }

    [TestMethod]
    public void N02_ADecorationNeverClashesWithAnotherName()
    {
        var image = new ImageBuilder();
        ulong shared = AddFile(image, "shared");
        string decorated = string.Create(CultureInfo.InvariantCulture, $"FOO~h2-{shared:x}.txt");
        ulong other = AddFile(image, "other");
        image.AddDirectory("d",
        [
            Name(image, "FOO.txt", AddFile(image, "first")), Name(image, "Foo.txt", shared), Name(image, "foO.txt", shared),
            Name(image, "foo.txt", shared), Name(image, decorated, other),
        ]);
        using DokanVolume volume = DokanVolume.Mount(image);
        List<string> names = volume.Client.Names("\\d");
        Assert.HasCount(5, names.ToHashSet(StringComparer.OrdinalIgnoreCase));
        Assert.AreEqual("first", Read(volume, "\\d\\foo.TXT"));
        Assert.AreEqual("other", Read(volume, "\\d\\" + decorated), "the name that looks decorated keeps its own file");
        foreach (string name in names.Where(name => name != "FOO.txt" && name != decorated))
        {
            Assert.Contains("~h2-", name);
            Assert.EndsWith(".txt", name);
            Assert.AreEqual("shared", Read(volume, "\\d\\" + name), name);
        }
    }

    [TestMethod]
    public void N02_DecoratedNamesOfTheLongestNamesStayLegal()
    {
        var image = new ImageBuilder();
        string[] pairs =
        [
            new('a', 255), new('A', 255),
            new string('\u00E9', 127) + "x", new string('\u00C9', 127) + "x",
            string.Concat(Enumerable.Repeat("\U0001F600", 63)) + "b", string.Concat(Enumerable.Repeat("\U0001F600", 63)) + "B",
            "trailing.", "TRAILING.", "x." + new string('e', 253), "X." + new string('e', 253), "A\uF03Ac", "a\uF03Ac",
        ];
        image.AddDirectory("d", [.. pairs.Select(name => Name(image, name, AddFile(image, name)))]);
        using DokanVolume volume = DokanVolume.Mount(image);
        List<string> names = volume.Client.Names("\\d");
        Assert.HasCount(pairs.Length, names);
        HashSet<string> contents = [.. names.Select(name => Read(volume, "\\\\?\\d\\" + name))];
        Assert.IsTrue(contents.SetEquals(pairs), "every file of the medium is reached by exactly one name");
    }

    [TestMethod]
    public void G3_WhiteoutsAreNotSeen()
    {
        var image = new ImageBuilder();
        image.AddDirectory("d", [Name(image, "gone", 0x777, ObjectType.Whiteout), Name(image, "here", AddFile(image, "x"))]);
        using DokanVolume volume = DokanVolume.Mount(image);
        Assert.AreEqual("here", volume.Client.Names("\\d").Single());
        Assert.AreEqual(NtStatus.ObjectNameNotFound, volume.Try("\\d\\gone", CreateDisposition.Open, DokanNet.FileAccess.ReadAttributes));
    }

    [TestMethod]
    public void ManyNamesThatDifferOnlyInCaseTakeNoLongerThanOthers()
    {
        var image = new ImageBuilder();
        ulong shared = AddFile(image, "shared");
        var entries = new List<BlockRef>();
        for (int i = 0; i < 4000; i++)
        {
            int bits = i;
            string name = string.Concat(Enumerable.Range(0, 12).Select(bit => (bits >> bit & 1) == 0 ? 'x' : 'X'));
            entries.Add(Name(image, name, shared));
        }

        entries.Sort((left, right) => left.Key.CompareTo(right.Key));
        image.AddDirectory("d", entries);
        using DokanVolume volume = DokanVolume.Mount(image);
        List<string> names = volume.Client.Names("\\d");
        Assert.HasCount(4000, names.ToHashSet(StringComparer.OrdinalIgnoreCase));
        Assert.AreEqual("shared", Read(volume, "\\d\\" + names[3999]));
    }
}
