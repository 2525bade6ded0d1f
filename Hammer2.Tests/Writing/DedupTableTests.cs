// The table of live dedup: bounded, proposing only blocks of the same shape, and never one that was forgotten. What the
// writer does with its proposals is in LiveDedupTests.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Writing;

[TestClass]
public sealed class DedupTableTests
{
    private static PhysicalOffset At(long address, int radix) => new((ulong)address | (uint)radix);

    private static bool Finds(DedupTable table, ulong hash, PhysicalOffset expected, CompressionMethod compression = CompressionMethod.Lz4, CheckMethod check = CheckMethod.XxHash64) =>
        table.TryFind(hash, expected.Radix, compression, check, out PhysicalOffset found) && found == expected;

    [TestMethod]
    public void OnlyTheSameSizeAndMethodsAreProposed()
    {
        var table = new DedupTable(64);
        PhysicalOffset at = At(1L << 40 | 3 << 10, 13);
        table.Add(77, at, CompressionMethod.Lz4, CheckMethod.XxHash64);
        Assert.IsTrue(Finds(table, 77, at));
        Assert.IsFalse(table.TryFind(78, 13, CompressionMethod.Lz4, CheckMethod.XxHash64, out _));
        Assert.IsFalse(table.TryFind(77, 14, CompressionMethod.Lz4, CheckMethod.XxHash64, out _));
        Assert.IsFalse(table.TryFind(77, 13, CompressionMethod.None, CheckMethod.XxHash64, out _));
        Assert.IsFalse(table.TryFind(77, 13, CompressionMethod.Zlib, CheckMethod.XxHash64, out _));
        Assert.IsFalse(table.TryFind(77, 13, CompressionMethod.Lz4, CheckMethod.Iscsi32, out _));
        Assert.IsFalse(table.TryFind(77, 13, CompressionMethod.Lz4, CheckMethod.Sha192, out _));
        Assert.IsFalse(table.TryFind(0, 10, CompressionMethod.None, CheckMethod.Iscsi32, out _), "an empty place is no block");
    }

    [TestMethod]
    public void FourBlocksOfOneSetStayAndTheOldestGivesWay()
    {
        var table = new DedupTable(4);
        for (uint i = 1; i <= 5; i++)
            table.Add(i, At(i << 16, 16), CompressionMethod.None, CheckMethod.XxHash64);
        Assert.IsFalse(Finds(table, 1, At(1 << 16, 16), CompressionMethod.None));
        for (uint i = 2; i <= 5; i++)
            Assert.IsTrue(Finds(table, i, At(i << 16, 16), CompressionMethod.None), $"{i}");
    }

    [TestMethod]
    public void ForgottenBlocksAreNotFoundUntilAddedAgain()
    {
        var table = new DedupTable(64);
        PhysicalOffset a = At(5 << 16, 13), b = At(900L << 30, 16);
        table.Add(1, a, CompressionMethod.Lz4, CheckMethod.XxHash64);
        table.Add(2, b, CompressionMethod.Lz4, CheckMethod.XxHash64);
        table.Forget(a);
        Assert.IsFalse(Finds(table, 1, a));
        Assert.IsTrue(Finds(table, 2, b));
        table.Add(1, a, CompressionMethod.Lz4, CheckMethod.XxHash64);
        Assert.IsTrue(Finds(table, 1, a));
        table.Clear();
        Assert.IsFalse(Finds(table, 1, a));
        Assert.IsFalse(Finds(table, 2, b));
        table.Add(2, b, CompressionMethod.Lz4, CheckMethod.XxHash64);
        Assert.IsTrue(Finds(table, 2, b));
    }

    [TestMethod]
    public void OnlyCheckedBlocksAreShared()
    {
        Assert.IsFalse(DedupTable.Allows(CheckMethod.None));
        Assert.IsFalse(DedupTable.Allows(CheckMethod.Disabled));
        Assert.IsTrue(DedupTable.Allows(CheckMethod.Iscsi32));
        Assert.IsTrue(DedupTable.Allows(CheckMethod.XxHash64));
        Assert.IsTrue(DedupTable.Allows(CheckMethod.Sha192));
    }
}
