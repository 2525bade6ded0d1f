// Bugs of the reading engine that tests of this folder found, one test each. A test opens with the story of its bug.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class RegressionTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;

    [TestMethod]
    public void ReadOfNoBytesGivesNothing()
    {
        // An empty buffer at offset 0 made the last key of the range wrap around to all keys.
        var image = new ImageBuilder();
        image.AddFile("f", 3 * Block, [.. Enumerable.Range(0, 3).Select(i => image.Data((ulong)(i * Block), CraftedTreeTests.Text(Block, i)))]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? vnode));
        using (vnode)
        {
            foreach (long at in new[] { 0L, 1, Block, 3 * Block - 1, 3 * Block, long.MaxValue })
                Assert.AreEqual(0, vnode!.Read(at, []), $"at {at}");
            Assert.AreEqual(0, vnode!.Read(long.MaxValue, new byte[100]));
            Assert.AreEqual(0, vnode.Read(long.MaxValue - 1, new byte[100]));
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vnode.Read(-1, new byte[1]));
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vnode.Read(long.MinValue, new byte[1]));
        }
    }
}
