// How people name volumes: PATH[:PATH...][@LABEL], with drive letters, raw devices, and colons and at signs in paths.
// Which paths exist is told by the test, so that Windows names are tested everywhere.

using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class VolumeSpecTests
{
    private static string Shown(VolumeSpec spec) => string.Join(" + ", spec.Paths) + (spec.Label is null ? "" : " label " + spec.Label);

    [TestMethod]
    [DataRow("a.img", "a.img")]
    [DataRow("a.img@DATA", "a.img label DATA")]
    [DataRow("a.img:b.img", "a.img + b.img")]
    [DataRow("/x/a.img:/y/b.img:c.img@ROOT", "/x/a.img + /y/b.img + c.img label ROOT")]
    [DataRow(@"C:\x.img", @"C:\x.img")]
    [DataRow("C:/x.img@DATA", "C:/x.img label DATA")]
    [DataRow(@"C:\a.img:D:\b.img@DATA", @"C:\a.img + D:\b.img label DATA")]
    [DataRow(@"c:\a.img:b.img:d:/c.img", @"c:\a.img + b.img + d:/c.img")]
    [DataRow(@"\\.\PhysicalDrive1", @"\\.\PhysicalDrive1")]
    [DataRow(@"\\.\PhysicalDrive1@DATA", @"\\.\PhysicalDrive1 label DATA")]
    [DataRow(@"\\.\PhysicalDrive1:\\.\PhysicalDrive2", @"\\.\PhysicalDrive1 + \\.\PhysicalDrive2")]
    [DataRow(@"\\.\X:", @"\\.\X:")]
    [DataRow(@"\\.\X:@DATA", @"\\.\X: label DATA")]
    [DataRow(@"\\.\X::\\.\Y:@DATA", @"\\.\X: + \\.\Y: label DATA")]
    [DataRow(@"\\?\C:\x.img:D:\y.img", @"\\?\C:\x.img + D:\y.img")]
    [DataRow(@"\\server\share\a.img@L", @"\\server\share\a.img label L")]
    [DataRow("a.img@two words", "a.img label two words")]
    [DataRow("a.img@12:30", "a.img label 12:30")]
    [DataRow("a@b.img@L", "a@b.img label L")]
    [DataRow("/home/me@work/a.img", "/home/me@work/a.img")]
    [DataRow("/home/me@work/a.img:/home/me@work/b.img", "/home/me@work/a.img + /home/me@work/b.img")]
    [DataRow("/home/me@work/a.img@L", "/home/me@work/a.img label L")]
    [DataRow(@"C:\me@work\a.img", @"C:\me@work\a.img")]
    public void TextIsTakenApart(string text, string expected)
    {
        VolumeSpec spec = VolumeSpec.Parse(text, _ => false);
        Assert.AreEqual(expected, Shown(spec));
        Assert.AreEqual(text, spec.ToString());
    }

    [TestMethod]
    [DataRow("a:b@c.img", "a:b@c.img", "a:b@c.img")]
    [DataRow("a:b@c.img@L", "a:b@c.img", "a:b@c.img label L")]
    [DataRow("odd:name.img", "odd:name.img", "odd:name.img")]
    [DataRow("odd:name.img@L", "odd:name.img", "odd:name.img label L")]
    public void PathThatExistsAsWrittenIsOnePath(string text, string existing, string expected) =>
        Assert.AreEqual(expected, Shown(VolumeSpec.Parse(text, p => p == existing)));

    // The reference makes PFSs with these labels; they could be listed and not be opened.
    [TestMethod]
    [DataRow("a.img@b@c", "a.img label b@c")]
    [DataRow("a.img@b/c", "a.img label b/c")]
    [DataRow("a.img@@", "a.img label @")]
    [DataRow("a.img:b.img@x@y/z", "a.img + b.img label x@y/z")]
    [DataRow("a.img@c.img@L", "a.img@c.img label L")]
    [DataRow("a.img:gone.img@x@y", "a.img + gone.img@x label y")]
    public void LabelsWithAtSignsAndSlashesAreUnderstoodWhereTheVolumesExist(string text, string expected)
    {
        string[] existing = ["a.img", "b.img", "a.img@c.img"];
        Assert.AreEqual(expected, Shown(VolumeSpec.Parse(text, existing.Contains)));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("@DATA")]
    [DataRow("a.img@")]
    [DataRow(":")]
    [DataRow("a.img:")]
    [DataRow(":a.img")]
    [DataRow("a.img::b.img")]
    [DataRow("@")]
    public void IncompleteTextIsRefused(string text)
    {
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => VolumeSpec.Parse(text, _ => false));
        Assert.AreEqual(Hammer2Error.InvalidArgument, e.Error);
    }

    [TestMethod]
    public void MissingFileIsNamed()
    {
        string path = Path.Combine(Path.GetTempPath(), "no such " + Guid.NewGuid().ToString("N"));
        StringAssert.Contains(Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open(path)).Message, "does not exist", StringComparison.Ordinal);
        StringAssert.Contains(Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open(Path.GetTempPath())).Message, "directory", StringComparison.Ordinal);
    }
}
