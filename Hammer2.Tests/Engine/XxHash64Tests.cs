// Our XXH64 against the library's, at every length around its stripes and words, at odd addresses, with random bytes.
// The library is the judge; the seed of the random bytes is printed.

using System.IO.Hashing;
using Hammer2.Engine.Blocks;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class XxHash64Tests
{
    [TestMethod]
    public void AgreesWithTheLibraryAtEveryLength()
    {
        var random = new Random(HammerSeed.Get());
        byte[] bytes = new byte[70_000];
        random.NextBytes(bytes);
        for (int length = 0; length <= 300; length++)
        {
            ReadOnlySpan<byte> data = bytes.AsSpan(random.Next(100), length);
            Assert.AreEqual(XxHash64.HashToUInt64(data, unchecked((long)Checks.XxHashSeed)), Checks.XxHash(data), $"length {length}");
        }

        for (int round = 0; round < 200; round++)
        {
            ReadOnlySpan<byte> data = bytes.AsSpan(random.Next(4000), random.Next(65_537));
            Assert.AreEqual(XxHash64.HashToUInt64(data, 7), XxHash64Seeded.Compute(data, 7), $"length {data.Length}");
        }
    }
}
