// A PFS that is changed beside the mount of it, by another mount of the same process: the kernel keeps names, attributes and pages for an
// hour, so it must be told. Each test looks first, so that the kernel has something to keep.
// Layers: Fuse (public entry), Engine.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Fuse;
using Hammer2.Torture.Crash;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class SecondMountTests : KernelTestBase
{
    [TestMethod]
    public void NamesThatComeAndGoElsewhereAreSeen() => WithMount((pfs, root) =>
    {
        Assert.IsFalse(File.Exists(Target + "/new"));
        Make(pfs, root, "new", "content");
        Assert.IsTrue(Eventually(() => File.Exists(Target + "/new")), "a name that was not there stays away");
        Assert.AreEqual("content", File.ReadAllText(Target + "/new"));
        Assert.AreEqual("new", Names());

        Assert.AreEqual(Hammer2Error.None, pfs.TryRename(root, "new"u8, root, "moved"u8, RenameMode.Replace));
        Assert.IsTrue(Eventually(() => !File.Exists(Target + "/new") && File.Exists(Target + "/moved")), "a renamed file is where it was");
        Assert.AreEqual("moved", Names());

        Make(pfs, root, "other", "others");
        Assert.IsTrue(Eventually(() => File.Exists(Target + "/other")));
        Assert.AreEqual(Hammer2Error.None, pfs.TryRename(root, "moved"u8, root, "other"u8, RenameMode.Exchange));
        Assert.IsTrue(Eventually(() => File.ReadAllText(Target + "/other") == "content"), "an exchanged name leads where it led");

        Assert.AreEqual(Hammer2Error.None, pfs.TryUnlink(root, "moved"u8));
        Assert.IsTrue(Eventually(() => !File.Exists(Target + "/moved")), "a removed file can be opened");
        Assert.AreEqual(Hammer2Error.None, pfs.TryDestroyName(root, "other"u8));
        Assert.IsTrue(Eventually(() => !File.Exists(Target + "/other")), "a destroyed name can be opened");
        Assert.AreEqual("", Names());
    });

    [TestMethod]
    public void ContentAndAttributesThatChangeElsewhereAreSeen() => WithMount((pfs, root) =>
    {
        string path = Target + "/file";
        File.WriteAllText(path, "old content");
        Assert.AreEqual("old content", File.ReadAllText(path));
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("/file", out Vnode? vnode));
        using Vnode file = vnode!;
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "new"u8));
        Assert.IsTrue(Eventually(() => File.ReadAllText(path) == "new content"), "the kernel shows the pages that it has");
        Assert.AreEqual(Hammer2Error.None, file.TryAppend(" and more"u8, out _));
        Assert.IsTrue(Eventually(() => File.ReadAllText(path) == "new content and more"), "the kernel knows another size");
        Assert.AreEqual(Hammer2Error.None, file.TrySetAttributes(new AttributeChanges { Mode = 0x1C0 }));
        Assert.IsTrue(Eventually(() => BytePaths.Status(At("file"), out FileStatus status) == 0 && (status.Mode & 0xFFF) == 0x1C0), "the kernel knows another mode");
        Assert.AreEqual(Hammer2Error.None, pfs.TryLink(file, root, "second"u8));
        Assert.IsTrue(Eventually(() => BytePaths.Status(At("file"), out FileStatus status) == 0 && status.LinkCount == 2), "the kernel knows another link count");
    });

    private string Names() => string.Join(' ', Directory.GetFileSystemEntries(Target).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));

    private static void Make(PfsMount pfs, Vnode root, string name, string content)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(root, Encoding.UTF8.GetBytes(name), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? made));
        using Vnode file = made!;
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, Encoding.UTF8.GetBytes(content)));
    }

    private void WithMount(Action<PfsMount, Vnode> test)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(CrashSetup.Plain.Format(), CrashSetup.Plain.Options(writable: true));
        using PfsMount shown = volume.OpenPfs("DATA");
        using PfsMount beside = volume.OpenPfs("DATA");
        using (FuseMount.Mount(shown, Target))
        {
            using Vnode root = beside.OpenRoot();
            test(beside, root);
        }
    }
}
