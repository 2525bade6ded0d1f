// Wildcards (B.21, L02): the table of the page, and the matcher against an independent one on random patterns.
// Random patterns print the seed that made them.

using Hammer2.Dokan.Names;
using Hammer2.Tests.SimulatedDriver;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class NamePatternTests
{
    private static readonly string[] s_names = ["a", "a.b", "ab.txt", "abc.d.txt", ".x"];

    [TestMethod]
    [DataRow("*", "yyyyy")]
    [DataRow("<", "ynnnn")]
    [DataRow("<.txt", "nnyyn")]
    [DataRow("*.txt", "nnyyn")]
    [DataRow("a<\"*", "yyyyn")]
    [DataRow("a>", "ynnnn")]
    [DataRow("a>>\"*", "yyyyn")]
    [DataRow("ab.txt", "nnynn")]
    [DataRow("?.b", "nynnn")]
    [DataRow("", "nnnnn")]
    [DataRow("a>>", "ynnnn")]
    [DataRow("A.B", "nynnn")]
    [DataRow(">", "ynnnn")]
    [DataRow("**", "yyyyy")]
    public void L02_PatternsMeanWhatTheTableSays(string pattern, string expected)
    {
        for (int i = 0; i < s_names.Length; i++)
            Assert.AreEqual(expected[i] == 'y', NamePattern.Matches(pattern, s_names[i]), $"'{pattern}' against '{s_names[i]}'");
    }

    [TestMethod]
    [DataRow("*.*", "*")]
    [DataRow("*.", "<")]
    [DataRow("*.txt", "<.txt")]
    [DataRow("a*.*", "a<\"*")]
    [DataRow("a?", "a>")]
    [DataRow("a??.*", "a>>\"*")]
    [DataRow("ab.txt", "ab.txt")]
    public void TheClientRewritesPatternsAsWin32Does(string typed, string arrives) =>
        Assert.AreEqual(arrives, Win32Client.Rewrite(typed));

    [TestMethod]
    public void RandomPatternsAgreeWithAnIndependentMatcher()
    {
        int seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int i = 0; i < 100_000; i++)
        {
            string pattern = Draw(random, "ab.*?<>\"", 7);
            string name = Draw(random, "aAb..", 7);
            Assert.AreEqual(NameExpression.Matches(pattern, name), NamePattern.Matches(pattern, name), $"seed {seed}: '{pattern}' against '{name}'");
        }
    }

    [TestMethod]
    public void HostilePatternsTakeNoLongerThanTheirLength()
    {
        string name = new('a', 255);
        string pattern = string.Concat(Enumerable.Repeat("*a<", 2000)) + "b";
        Assert.IsFalse(NamePattern.Matches(pattern, name));
    }

    private static string Draw(Random random, string letters, int lengthMax) =>
        new([.. Enumerable.Range(0, random.Next(lengthMax)).Select(_ => letters[random.Next(letters.Length)])]);
}
