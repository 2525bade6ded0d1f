// The small parts below the verbs: spelling of names, sizes, patterns, the order-keeping pool, the sample's
// container, and the one rule that all JSON shares. Random tests print their seed.
// No image is opened where none is needed.

using System.IO.Compression;
using System.Text;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Sample;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class OutputTests : CliTests
{
    [TestMethod]
    public void AnyBytesCanBeShownAndTypedBack()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int i = 0; i < 5000; i++)
        {
            byte[] name = new byte[random.Next(1, 40)];
            random.NextBytes(name);
            if (i % 2 == 0)
            {
                for (int j = 0; j < name.Length; j++)
                    name[j] = (byte)@"\xab0\\x41é".AsSpan()[name[j] % 9];
            }

            string shown = MediaText.Show(name);
            Assert.IsFalse(shown.Any(char.IsControl), $"seed {seed}: {Convert.ToHexString(name)}");
            CollectionAssert.AreEqual(name, MediaText.Parse(shown), $"seed {seed}: {Convert.ToHexString(name)} shown as {shown}");
        }
    }

    [TestMethod]
    public void PlainTextIsShownAsItIs()
    {
        Assert.AreEqual("Grüße 日本 🎈", MediaText.Show("Grüße 日本 🎈"u8));
        Assert.AreEqual(@"a\\b", MediaText.Show("a\\b"u8));
        Assert.AreEqual(@"\x1b[31m", MediaText.Show("\u001b[31m"u8));
        Assert.AreEqual((null, "ff"), MediaText.Split([0xFF]));
        CollectionAssert.AreEqual("a\\qb"u8.ToArray(), MediaText.Parse(@"a\qb"));
    }

    [TestMethod]
    [DataRow("0", 0L)]
    [DataRow("4096", 4096L)]
    [DataRow("64K", 65536L)]
    [DataRow("1.5g", 1610612736L)]
    [DataRow("256MiB", 268435456L)]
    [DataRow("2kB", 2048L)]
    public void SizesAreRead(string text, long expected)
    {
        Assert.IsTrue(ByteSize.TryParse(text, out long bytes));
        Assert.AreEqual(expected, bytes);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("K")]
    [DataRow("-1")]
    [DataRow("1 2")]
    [DataRow("99999999E")]
    [DataRow("1X")]
    public void WhatIsNoSizeIsRefused(string text) => Assert.IsFalse(ByteSize.TryParse(text, out _));

    [TestMethod]
    [DataRow(0L, "0B")]
    [DataRow(1023L, "1023B")]
    [DataRow(1024L, "1.0K")]
    [DataRow(10239L, "10K")]
    [DataRow(1048575L, "1.0M")]
    [DataRow(8589934592L, "8.0G")]
    public void SizesAreShown(long bytes, string expected) => Assert.AreEqual(expected, ByteSize.Show(bytes));

    [TestMethod]
    [DataRow("*.txt", "a.txt", true)]
    [DataRow("*.txt", "a.txt.gz", false)]
    [DataRow("a?c", "aéc", true)]
    [DataRow("[a-c]x", "bx", true)]
    [DataRow("[!a-c]x", "bx", false)]
    [DataRow("[]]x", "]x", true)]
    [DataRow("[x", "[x", true)]
    [DataRow(@"\*", "*", true)]
    [DataRow(@"\*", "x", false)]
    [DataRow("*", "", true)]
    [DataRow("", "x", false)]
    [DataRow("*a*b*c*", "xxaxxbxxcxx", true)]
    [DataRow("A*", "ab", false)]
    public void GlobsMatch(string pattern, string name, bool expected) =>
        Assert.AreEqual(expected, Glob.IsMatch(Encoding.UTF8.GetBytes(pattern), Encoding.UTF8.GetBytes(name)));

    [TestMethod]
    [Timeout(20000, CooperativeCancellation = false)]
    public void HostileGlobEndsSoon()
    {
        byte[] pattern = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("*a", 100)) + "b");
        Assert.IsFalse(Glob.IsMatch(pattern, Encoding.UTF8.GetBytes(new string('a', 255))));
    }

    [TestMethod]
    public void PoolKeepsTheOrder()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        int[] spins = [.. Enumerable.Range(0, 500).Select(_ => random.Next(20000))];
        int[] results = [.. OrderedParallel.Select(
            Enumerable.Range(0, spins.Length),
            i => i % 3 != 0,
            i =>
            {
                Thread.SpinWait(spins[i]);
                return i;
            },
            CancellationToken.None,
            window: 8)];
        CollectionAssert.AreEqual(Enumerable.Range(0, spins.Length).ToArray(), results, $"seed {seed}");
    }

    [TestMethod]
    public void PoolPassesFailuresOn()
    {
        static int Fail(int i) => i == 50 ? throw new InvalidOperationException() : i;
        var results = OrderedParallel.Select(Enumerable.Range(0, 100), _ => true, Fail, CancellationToken.None);
        Assert.ThrowsExactly<InvalidOperationException>(() => results.Count());
    }

    [TestMethod]
    public void SampleUnpacksToTheGoldenImage()
    {
        using Stream packed = typeof(SparseContainer).Assembly.GetManifestResourceStream("sample.h2s.gz")!;
        using var folder = new TemporaryFolder();
        using FileStream image = File.Create(folder["sample.img"]);
        long size = SparseContainer.Unpack(packed, image);
        Assert.AreEqual(size, image.Length);
        image.Close();
        CliRun.Of("verify", folder["sample.img"]).Expect(0);
    }

    [TestMethod]
    public void DamagedContainersAreRefused()
    {
        byte[] head = [.. "H2SPARSE"u8, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0];
        byte[] outside = [.. head, 12, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5];
        byte[] unknown = [.. head];
        unknown[8] = 9;
        Refused<InvalidDataException>(outside);
        Refused<InvalidDataException>(unknown);
        Refused<InvalidDataException>([.. "NOSPARSE"u8, .. head.AsSpan(8)]);
        Refused<EndOfStreamException>(head);

        static void Refused<T>(byte[] container)
            where T : Exception
        {
            var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                gzip.Write(container);
            packed.Position = 0;
            Assert.ThrowsExactly<T>(() => SparseContainer.Unpack(packed, new MemoryStream()));
        }
    }

    [TestMethod]
    public void EveryVerbThatListsPrintsJsonWithFailures()
    {
        string image = CliRun.Image("small-mixed");
        foreach (string[] args in new string[][]
        {
            ["ls", image], ["tree", image], ["stat", image, "/"], ["find", image], ["du", image], ["show", image],
            ["freemap", image], ["volhdr", image], ["info", image], ["pfs-list", image], ["volume-list", image],
            ["verify", image], ["fsck", image], ["hash", "a"], ["dhash", "a"],
            ["mounts"], ["version"], ["completion", "bash"], ["cat", image, "/links/target.txt"],
        })
        {
            Assert.AreEqual(0, CliRun.Of([.. args, "--json"]).Expect(0).Json.GetProperty("failures").GetArrayLength(), args[0]);
        }
    }
}
