// docs/requirements.md against the tests: the table has rows R1..R17, every state is one of three words, and every
// test class that a row names exists in this assembly.

using System.Text.RegularExpressions;

namespace Hammer2.Tests.Docs;

[TestClass]
public sealed partial class RequirementsTests
{
    [TestMethod]
    public void EveryRowIsThereAndNamesRealTests()
    {
        string[] rows = [.. File.ReadAllLines(Path.Combine(Repository.Root, "docs", "requirements.md")).Where(l => l.StartsWith("| R", StringComparison.Ordinal))];
        CollectionAssert.AreEqual(Enumerable.Range(1, 17).Select(n => $"R{n}").ToArray(), rows.Select(r => r.Split('|')[1].Trim()).ToArray());
        foreach (string row in rows)
        {
            string[] cells = row.Split('|', StringSplitOptions.TrimEntries);
            Assert.IsTrue(cells[3] is "done" or "read side" or "later", $"{cells[1]}: unknown state '{cells[3]}'");
            string[] tests = [.. TestName().Matches(cells[5]).Select(m => m.Groups[1].Value.Split('/')[^1])];
            Assert.AreEqual(cells[3] == "later", tests.Length == 0, $"{cells[1]}: a state with mechanism needs a test, one without has none");
            foreach (string test in tests)
                Assert.IsNotNull(Array.Find(typeof(RequirementsTests).Assembly.GetTypes(), t => t.Name == test), $"{cells[1]}: there is no test class {test}");
        }
    }

    [GeneratedRegex("`([A-Za-z0-9/]+Tests)`")]
    private static partial Regex TestName();
}
