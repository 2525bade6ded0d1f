// Every kind of finding has a damage that leads to it: a checker that never complains would pass everything else. Where a
// golden image is damaged, exactly the named kinds may come up besides what the image shows anyway.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class NegativeControlTests
{
    private static readonly Control[] s_all =
        [.. Controls.Headers(), .. Controls.Refs(), .. Controls.Inodes(), .. NameControls.Names(), .. NameControls.Freemap()];

    private static readonly (string Code, Func<IBlockDevice[]> Make)[] s_crafted = [.. NameControls.Crafted()];

    public static IEnumerable<object[]> Rows => s_all.Select((c, i) => new object[] { i, c.Codes });

    public static IEnumerable<object[]> CraftedRows => s_crafted.Select((c, i) => new object[] { i, c.Code });

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void DamageIsCalledByItsName(int index, string codes)
    {
        Control control = s_all[index];
        string[] before = CodesOf(VolumeChecker.Check([.. GoldenImages.Get(control.Image).Devices]));
        Assert.DoesNotContain(control.Code, before, $"{control.Image} shows it undamaged");
        var editor = new ImageEditor(control.Image);
        control.Damage(editor);
        CheckReport report = VolumeChecker.Check([editor.Finished]);
        CheckSeverity severity = CheckCodes.All.Single(c => c.Name == control.Code).Severity;
        string[] found = CodesOf(report, severity == CheckSeverity.Information ? CheckSeverity.Information : CheckSeverity.Warning);
        CollectionAssert.AreEquivalent(codes.Split(' '), found.Except(before).ToArray(), report.ToString());
        CheckReport again = VolumeChecker.Check([editor.Finished], new CheckOptions { Workers = 3 });
        Assert.AreEqual(report.ToString(), again.ToString());
    }

    [TestMethod]
    [DynamicData(nameof(CraftedRows))]
    public void CraftedDamageIsCalledByItsName(int index, string code)
    {
        CheckReport report = VolumeChecker.Check(s_crafted[index].Make());
        Assert.Contains(code, CodesOf(report, CheckSeverity.Information), report.ToString());
    }

    [TestMethod]
    public void EveryKindHasItsControl()
    {
        HashSet<string> controlled = [.. s_all.Select(c => c.Code), .. s_crafted.Select(c => c.Code)];
        string[] missing = [.. CheckCodes.All.Select(c => c.Name).Where(n => !controlled.Contains(n))];
        Assert.IsEmpty(missing, string.Join(' ', missing));
    }

    [TestMethod]
    public void EveryKindIsExplained()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "fsck.md"));
        foreach (CheckCode code in CheckCodes.All)
        {
            string word = code.Severity.ToString().ToLowerInvariant();
            Assert.IsTrue(lines.Any(l => l.Contains($"`{code.Name}`", StringComparison.Ordinal) && l.Contains($"| {word} |", StringComparison.Ordinal)), $"{code.Name}, {word}");
            Assert.EndsWith(".", code.Advice);
        }
    }

    private static string[] CodesOf(CheckReport report, CheckSeverity least = CheckSeverity.Information) =>
        [.. report.Counts.Where(c => c.Code.Severity >= least).Select(c => c.Code.Name)];
}
