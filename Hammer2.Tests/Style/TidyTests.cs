// How sources look: a header that says what the file is, no notes to ourselves, no swallowed exceptions, no files that
// nobody can hold in the head, nothing that speaks of one machine. Each rule has its negative control below.

using System.Text.RegularExpressions;

namespace Hammer2.Tests.Style;

[TestClass]
public sealed partial class TidyTests
{
    private const int HeaderLinesMin = 2;
    private const int LinesMax = 600;
    private const int NullBytesLookedAt = 4096;

    // Put together here, because this file is read by its own test.
    private static readonly string[] s_bannedWords = ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X", "NotImplemented" + "Exception"];
    private static readonly string[] s_machinePaths = ["/wo" + "rk/", "/ro" + "ot/", "C:\\Us" + "ers\\", "/ho" + "me/runner"];

    [GeneratedRegex(@"\bcatch\b\s*(?:\([^()]*\))?\s*(?:when\s*\((?:[^()]|\([^()]*\))*\))?\s*\{\s*\}")]
    private static partial Regex EmptyCatch();

    internal static IEnumerable<string> Violations(SourceFile file)
    {
        string[] lines = file.Text.TrimStart('\uFEFF').Split('\n');
        int header = lines.TakeWhile(l => l.StartsWith("//", StringComparison.Ordinal)).Count();
        if (header < HeaderLinesMin)
            yield return $"{file.Path}: opens with {header} lines of comment, at least {HeaderLinesMin} say what it is";
        int count = file.Text.EndsWith('\n') ? lines.Length - 1 : lines.Length;
        if (count > LinesMax)
            yield return $"{file.Path}: {count} lines, at most {LinesMax}";
        if (file.Text.Length > 0 && !file.Text.EndsWith('\n'))
            yield return $"{file.Path}: does not end with a newline";
        foreach (string word in s_bannedWords)
        {
            Match match = Regex.Match(file.Text, $@"(?<![A-Za-z]){word}(?![A-Za-z])");
            if (match.Success)
                yield return $"{file.Path}:{file.LineOf(match.Index)}: {word}";
        }

        foreach (Match match in EmptyCatch().Matches(file.Code).Where(m => !IsExplained(file.Text.AsSpan(m.Index, m.Length))))
            yield return $"{file.Path}:{file.LineOf(match.Index)}: an exception is swallowed";
        if (file.Text.AsSpan(0, Math.Min(file.Text.Length, NullBytesLookedAt)).Contains('\0'))
            yield return $"{file.Path}: is not text";
    }

    internal static IEnumerable<string> MachinePaths(SourceFile file)
    {
        foreach (string path in s_machinePaths)
        {
            // "--network/work/" or "http://host/work/" is no path of a machine: it does not begin there.
            Match match = Regex.Match(file.Text, $@"(?<![\w.~\-/:]){Regex.Escape(path)}");
            if (match.Success)
                yield return $"{file.Path}:{file.LineOf(match.Index)}: {path} is a path of one machine";
        }
    }

    // An empty block may stand where it names what it expects and says why nothing is to be done about it.
    private static bool IsExplained(ReadOnlySpan<char> clause) =>
        clause.Contains("//", StringComparison.Ordinal) && clause.Contains('(') && !clause.StartsWith("catch (Exception)", StringComparison.Ordinal)
        && (!clause.StartsWith("catch (Exception ", StringComparison.Ordinal) || clause.Contains("when", StringComparison.Ordinal));

    [TestMethod]
    public void EverySourceFileIsTidy()
    {
        IReadOnlyList<SourceFile> files = SourceTree.Files(".cs");
        Assert.IsGreaterThan(100, files.Count, "the sources were not found");
        List<string> violations = [.. files.SelectMany(Violations)];
        Assert.IsEmpty(violations, string.Join('\n', violations));
    }

    [TestMethod]
    public void NothingSpeaksOfOneMachine()
    {
        IReadOnlyList<SourceFile> files = SourceTree.Files(".cs", ".md", ".ps1", ".sh", ".py", ".csproj", ".props", ".targets", ".json", ".yml", ".wxs", ".psd1", ".psm1");
        List<string> violations = [.. files.SelectMany(MachinePaths)];
        Assert.IsEmpty(violations, string.Join('\n', violations));
    }

    [TestMethod]
    public void SeedsOfRandomTestsAreShown()
    {
        // A random test that hides its seed cannot be repeated: a fixed seed, or one that is printed.
        foreach (SourceFile file in SourceTree.Files(".cs").Where(f => f.Path.StartsWith("Hammer2.Tests/", StringComparison.Ordinal)))
            Assert.IsFalse(Regex.IsMatch(file.Code, @"new Random\(\)|Random\.Shared"), $"{file.Path}: a seed that nobody sees");
    }

    [TestMethod]
    [DataRow("a\nb\nclass X;\n", 1)]
    [DataRow("// one line\nclass X;\n", 1)]
    [DataRow("\uFEFF// first\n// second\nclass X;\n", 0)]
    [DataRow("// first\n// second\nclass X;\n", 0)]
    [DataRow("// first\n// second\nclass X;", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch { } } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (Exception) { } } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (Exception e) when (e is A or B(1)) { } } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (Exception e)\n{\n // why\n }\n } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch\n{\n // why\n }\n } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (IOException) { } } }\n", 1)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (IOException)\n{\n // why\n }\n } }\n", 0)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (Exception e) when (e is A)\n{\n // why\n }\n } }\n", 0)]
    [DataRow("// first\n// second\nclass X { void M() { try { } catch (Exception) { return; } } }\n", 0)]
    [DataRow("// first\n// second\nclass X { string s = \"catch { }\"; }\n", 0)]
    public void NegativeControl(string text, int violations) =>
        Assert.HasCount(violations, Violations(new SourceFile("Crafted.cs", text)).ToList());

    [TestMethod]
    public void NegativeControlOfWordsLengthsAndPaths()
    {
        foreach (string word in s_bannedWords)
        {
            Assert.HasCount(1, Violations(new SourceFile("Crafted.cs", $"// a\n// {word}: later\n")).ToList());
            Assert.HasCount(0, Violations(new SourceFile("Crafted.cs", $"// a\n// no{word}s\n")).ToList());
        }

        Assert.HasCount(0, Violations(new SourceFile("Crafted.cs", "// a\n// b\n" + new string('\n', LinesMax - 2))).ToList());
        Assert.HasCount(1, Violations(new SourceFile("Crafted.cs", "// a\n// b\n" + new string('\n', LinesMax - 1))).ToList());
        foreach (string path in s_machinePaths)
        {
            Assert.HasCount(1, MachinePaths(new SourceFile("a.md", $"see {path}x")).ToList());
            Assert.HasCount(0, MachinePaths(new SourceFile("a.md", $"see home{path}x")).ToList());
        }
    }
}
