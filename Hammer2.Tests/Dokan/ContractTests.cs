// Every assertion of the contract (docs/windows.md names its identifiers; the sections are those of the semantics page) has
// a test whose name carries its identifier. The list is here and nowhere else.

using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed partial class ContractTests
{
    /// <summary>Letter of a section and its last number: create, write, delete, move, list, names, life cycle, sequences.</summary>
    private static readonly (char Section, int Last)[] s_sections =
        [('C', 40), ('W', 23), ('D', 22), ('M', 21), ('L', 24), ('N', 14), ('R', 14), ('B', 21)];

    [GeneratedRegex(@"(?<![A-Za-z0-9])([CWDMLNRB])(\d\d)(?:_To_\1(\d\d))?(?![A-Za-z0-9])")]
    private static partial Regex Identifier();

    private static IEnumerable<string> Identifiers(string testName)
    {
        foreach (Match match in Identifier().Matches(testName.Replace('_', ' ').Replace(" To ", "_To_", StringComparison.Ordinal)))
        {
            int first = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
            int last = match.Groups[3].Success ? int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture) : first;
            for (int i = first; i <= last; i++)
                yield return string.Create(CultureInfo.InvariantCulture, $"{match.Groups[1].Value}{i:00}");
        }
    }

    private static List<string> Missing(IEnumerable<string> testNames)
    {
        HashSet<string> tested = [.. testNames.SelectMany(Identifiers)];
        return [.. s_sections.SelectMany(s => Enumerable.Range(1, s.Last).Select(i => string.Create(CultureInfo.InvariantCulture, $"{s.Section}{i:00}"))).Where(id => !tested.Contains(id))];
    }

    [TestMethod]
    public void EveryAssertionOfTheContractHasATest()
    {
        IEnumerable<string> names = typeof(ContractTests).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(ContractTests).Namespace)
            .SelectMany(type => type.GetMethods(BindingFlags.Instance | BindingFlags.Public))
            .Where(method => method.GetCustomAttribute<TestMethodAttribute>() is not null)
            .Select(method => method.Name);
        Assert.AreEqual("", string.Join(' ', Missing(names)), "identifiers without a test");
    }

    [TestMethod]
    public void AMissingTestIsNoticed()
    {
        List<string> missing = Missing(["C01_C02_Something", "C05_To_C40_More", "NoC03Here", "XC04_"]);
        CollectionAssert.IsSubsetOf(List("C03", "C04", "W01", "B21"), missing);
        CollectionAssert.DoesNotContain(missing, "C01");
        CollectionAssert.DoesNotContain(missing, "C17");
    }
}
