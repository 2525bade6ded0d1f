// Names between medium and Windows (N04 to N09 of the semantics page), without a volume.
// Every name must come back as it was, and no two names may become one.

using System.Text;
using Hammer2.Dokan.Names;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class NameMappingTests
{
    private static string Show(ReadOnlySpan<byte> name) => NameMapping.ToWindows(name);

    private static byte[]? Medium(string shown)
    {
        var name = new byte[NameMapping.NameLengthMax];
        int length = NameMapping.ToMedium(shown, name);
        return length < 0 ? null : name[..length];
    }

    [TestMethod]
    public void N04_IllegalBytesMoveToThePrivateArea()
    {
        Assert.AreEqual("a\uF03Ab", Show("a:b"u8));
        Assert.AreEqual("\uF022\uF02A\uF03A\uF03C\uF03E\uF03F\uF05C\uF07C", Show("\"*:<>?\\|"u8));
        for (byte b = 1; b < 0x20; b++)
            Assert.AreEqual($"x{(char)(0xF000 + b)}y", Show([(byte)'x', b, (byte)'y']));
        Assert.AreEqual("trailing\uF02E", Show("trailing."u8));
        Assert.AreEqual("trailing.\uF02E", Show("trailing.."u8));
        Assert.AreEqual("trailing\uF020", Show("trailing "u8));
        Assert.AreEqual(".hidden", Show(".hidden"u8));
        Assert.AreEqual("\u007F\u0085", Show("\x7F\u0085"u8), "controls that Windows allows stay");
    }

    [TestMethod]
    public void N05_InvalidUtf8IsShownByteByByte()
    {
        Assert.AreEqual("caf\uF0E9.txt", Show([(byte)'c', (byte)'a', (byte)'f', 0xE9, (byte)'.', (byte)'t', (byte)'x', (byte)'t']));
        Assert.AreEqual("\uF0C0\uF0AF", Show([0xC0, 0xAF]), "an overlong slash");
        Assert.AreEqual("\uF0ED\uF0A0\uF080", Show([0xED, 0xA0, 0x80]), "an encoded surrogate");
        Assert.AreEqual("\uF0EF\uF080\uF0BA", Show("\uF03A"u8), "the private area itself");
        Assert.AreNotEqual(Show("a:"u8), Show("a\uF03A"u8), "a mapped colon and the character that it is mapped to");
        Assert.AreEqual("\uF0E2\uF082x", Show([0xE2, 0x82, (byte)'x']), "a sequence cut short");
        Assert.AreEqual("\uE000\uF100", Show("\uE000\uF100"u8), "the rest of the private area stays");
    }

    [TestMethod]
    public void N06_DeviceNamesAreMapped()
    {
        foreach (string name in new[] { "CON", "con", "PrN", "aux", "NUL", "nul.txt", "com1", "COM9.log", "LPT0", "COM\u00B9", "lpt\u00B3.x", "CONIN$", "conout$", "aux .c", "nul.tar.gz" })
        {
            string shown = Show(Encoding.UTF8.GetBytes(name));
            Assert.AreEqual((char)(0xF000 + name[0]) + name[1..], shown, name);
            CollectionAssert.AreEqual(Encoding.UTF8.GetBytes(name), Medium(shown));
        }

        foreach (string name in new[] { "CONS", "COM", "COM10", "LPTX", "nully.txt", "x.aux", "CLOCK$", "CONIN", "\u00E7on" })
            Assert.AreEqual(name, Show(Encoding.UTF8.GetBytes(name)), name);
    }

    [TestMethod]
    public void N07_NamesThatTheMediumCannotHoldAreRefused()
    {
        foreach (string name in new[] { "", ".", "..", "a\uF02Fb", "\uF000", "\uF02E", "\uF02E\uF02E", ".\uF02E", "\uD800", "x\uDC00y", "a/b", "a:b", "a*", "a?", "\"", "<", ">", "|", "\u0001", "\u001F", "a\\b" })
            Assert.IsNull(Medium(name), $"'{name}' was accepted");
        CollectionAssert.AreEqual("a:b"u8.ToArray(), Medium("a\uF03Ab"));
        CollectionAssert.AreEqual("foo."u8.ToArray(), Medium("foo."), "a raw trailing dot is stored as given");
        CollectionAssert.AreEqual("aux"u8.ToArray(), Medium("aux"), "a raw device name is stored plainly");
    }

    [TestMethod]
    public void C28_LengthsAreLimitedInUnitsAndInBytes()
    {
        Assert.IsNotNull(Medium(new string('a', 255)));
        Assert.IsNull(Medium(new string('a', 256)));
        Assert.IsNotNull(Medium(new string('\u65E5', 85)));
        Assert.IsNull(Medium(new string('\u65E5', 86)));
        Assert.IsNull(Medium(string.Concat(Enumerable.Repeat("\U0001F600", 64))));
    }

    [TestMethod]
    public void N08_RandomBytesComeBackAndNoTwoNamesMeet()
    {
        int seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var shownNames = new Dictionary<string, string>();
        for (int i = 0; i < 200_000; i++)
        {
            byte[] name = RandomName(random);
            string shown = Show(name);
            Assert.IsTrue(NameMapping.IsSyntaxValid(shown), $"seed {seed}: {Convert.ToHexString(name)} is shown as '{shown}'");
            CollectionAssert.AreEqual(name, Medium(shown), $"seed {seed}: {Convert.ToHexString(name)}");
            string hex = Convert.ToHexString(name);
            if (!shownNames.TryAdd(shown, hex))
                Assert.AreEqual(hex, shownNames[shown], $"seed {seed}: two names are shown as '{shown}'");
        }
    }

    /// <summary>Bytes near everything that is special, so that clashes have a chance.</summary>
    private static byte[] RandomName(Random random)
    {
        string[] parts = ["a", "A", ":", "aux", "CON", ".", " ", "\uF03A", "\uF0E9", "\u00E9", "\u20AC", "\U0001F600", "nul", "1", "COM"];
        var name = new List<byte>();
        int count = random.Next(1, 6);
        for (int i = 0; i < count; i++)
        {
            if (random.Next(3) == 0)
                name.Add((byte)random.Next(1, 256));
            else
                name.AddRange(Encoding.UTF8.GetBytes(parts[random.Next(parts.Length)]));
        }

        name.RemoveAll(b => b == (byte)'/');
        bool isDots = name is [(byte)'.'] or [(byte)'.', (byte)'.'];
        return isDots || name.Count == 0 ? [(byte)'x'] : [.. name];
    }

    [TestMethod]
    public void N09_FoldingIsOneToOneAndLocaleFree()
    {
        Assert.AreEqual(1193, FoldTable.MappingCount, "the shipped table changed");
        for (int unit = 0; unit <= char.MaxValue; unit++)
        {
            char folded = FoldTable.Fold((char)unit);
            Assert.AreEqual(folded, FoldTable.Fold(folded), $"U+{unit:X4} does not fold to a fold");
            if (char.IsSurrogate((char)unit) || unit is >= 0xF000 and <= 0xF0FF)
                Assert.AreEqual((char)unit, folded, $"U+{unit:X4}");

            // A newer runtime may know more letters; what the table maps it must map in the same way.
            if (folded != unit)
                Assert.AreEqual(char.ToUpperInvariant((char)unit), folded, $"U+{unit:X4}");
        }

        Assert.AreEqual('\u00DF', FoldTable.Fold('\u00DF'), "sharp s has no single upper case");
        Assert.AreEqual('I', FoldTable.Fold('i'), "no Turkish rule");
        Assert.AreEqual('\u0131', FoldTable.Fold('\u0131'), "dotless i stays apart");
        Assert.AreEqual('\u03A3', FoldTable.Fold('\u03C2'), "final sigma");
        Assert.AreEqual('\u0178', FoldTable.Fold('\u00FF'));
        Assert.IsTrue(FoldTable.Same("Gro\u00DF\u00C9", "GRO\u00DF\u00E9"));
        Assert.IsFalse(FoldTable.Same("Stra\u00DFe", "STRASSE"));
    }

    [TestMethod]
    public void CanonicalSpellingIsTheShownOne()
    {
        Span<char> shown = stackalloc char[NameMapping.NameLengthMax];
        foreach ((string given, string expected) in new[] { ("foo.", "foo\uF02E"), ("aux", "\uF061ux"), ("\uF041bc", "Abc"), ("plain.txt", "plain.txt"), ("\uF0C3\uF0A9", "\u00E9") })
        {
            int length = NameMapping.Canonical(given, shown);
            Assert.AreEqual(expected, new string(shown[..length]));
        }
    }
}
