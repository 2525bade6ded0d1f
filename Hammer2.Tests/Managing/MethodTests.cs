// Compression and check method of single objects: new blocks follow, old ones stay, new objects inherit.
// What is stored is looked up in the references of the blocks, not in what the calls answered.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class MethodTests
{
    [TestMethod]
    public void NewBlocksFollowAndOldOnesStay()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        byte[] text = Enumerable.Range(0, 3 * 65536).Select(i => (byte)(i % 50)).ToArray();
        using Vnode file = rig.Create("file", text);
        rig.Sync();
        Assert.AreEqual(Hammer2Error.None, file.TrySetCompression(CompressionMethod.Zlib, 9));
        Assert.AreEqual(Hammer2Error.None, file.TrySetCheck(CheckMethod.Sha192));
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(65536, text.AsSpan(1, 65536)));
        rig.Sync();
        Assert.AreEqual((CompressionMethod.Lz4, CheckMethod.XxHash64), Methods(0));
        Assert.AreEqual((CompressionMethod.Zlib, CheckMethod.Sha192), Methods(65536));
        Assert.AreEqual(Hammer2Error.None, file.TrySetCompression(CompressionMethod.None));
        Assert.AreEqual(Hammer2Error.None, file.TrySetCheck(CheckMethod.None));
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(131072, text.AsSpan(2, 65536)));
        rig.Remount();
        rig.Check();
        using Vnode again = rig.Open("file");
        text.AsSpan(2, 65536).CopyTo(text.AsSpan(131072));
        InodeAttributes a = again.GetAttributes();
        Assert.AreEqual((CompressionMethod.None, 0, CheckMethod.None), (a.Compression, a.CompressionLevel, a.Check));
        Assert.IsTrue(text.AsSpan(131072).SequenceEqual(EngineRig.ReadAll(again).AsSpan(131072)));

        (CompressionMethod, CheckMethod) Methods(ulong key)
        {
            BlockRef bref = rig.DataRef(file, key);
            return (bref.Compression, bref.CheckMethod);
        }
    }

    [TestMethod]
    public void NewObjectsInherit()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.MakeDirectory("dir");
        using (Vnode directory = rig.Open("dir"))
        {
            Assert.AreEqual(Hammer2Error.None, directory.TrySetCompression(CompressionMethod.Zlib, 7));
            Assert.AreEqual(Hammer2Error.None, directory.TrySetCheck(CheckMethod.Disabled));
        }

        rig.MakeDirectory("dir/sub");
        using Vnode file = rig.Create("dir/sub/file", EngineRig.Bytes(70_000, 1));
        InodeAttributes a = file.GetAttributes();
        Assert.AreEqual((CompressionMethod.Zlib, 7, CheckMethod.Disabled), (a.Compression, a.CompressionLevel, a.Check));
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void LevelsAreForZlib()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        using Vnode file = rig.Create("file");
        Assert.AreEqual(Hammer2Error.InvalidArgument, file.TrySetCompression(CompressionMethod.Lz4, 6));
        Assert.AreEqual(Hammer2Error.InvalidArgument, file.TrySetCompression(CompressionMethod.Zlib, 5));
        Assert.AreEqual(Hammer2Error.InvalidArgument, file.TrySetCompression(CompressionMethod.Zlib, 10));
        Assert.AreEqual(Hammer2Error.InvalidArgument, file.TrySetCompression((CompressionMethod)4));
        Assert.AreEqual(Hammer2Error.InvalidArgument, file.TrySetCheck(CheckMethod.Freemap));
    }

    [TestMethod]
    [DataRow("none", CompressionMethod.None, 0)]
    [DataRow("disabled", CompressionMethod.AutoZero, 0)]
    [DataRow("Default", CompressionMethod.Lz4, 0)]
    [DataRow("zlib:9", CompressionMethod.Zlib, 9)]
    [DataRow("3:6", CompressionMethod.Zlib, 6)]
    [DataRow("1", CompressionMethod.AutoZero, 0)]
    [DataRow("zlib:5", null, 0)]
    [DataRow("lz4:6", null, 0)]
    [DataRow("zlib:0", null, 0)]
    [DataRow("zlib:", null, 0)]
    [DataRow("4", null, 0)]
    [DataRow("", null, 0)]
    public void NamesOfCompressions(string text, CompressionMethod? method, int level)
    {
        bool read = MethodSettings.TryParseCompression(text, out CompressionMethod found, out int foundLevel);
        Assert.AreEqual(method is not null, read);
        if (read)
            Assert.AreEqual((method!.Value, level), (found, foundLevel));
    }

    [TestMethod]
    public void NamesOfChecks()
    {
        foreach ((string text, CheckMethod method) in ((string, CheckMethod)[])[("none", CheckMethod.None), ("disabled", CheckMethod.Disabled), ("crc32", CheckMethod.Iscsi32), ("default", CheckMethod.XxHash64), ("SHA192", CheckMethod.Sha192)])
        {
            Assert.IsTrue(MethodSettings.TryParseCheck(text, out CheckMethod found));
            Assert.AreEqual(method, found);
        }

        Assert.IsFalse(MethodSettings.TryParseCheck("freemap", out _));
    }
}
