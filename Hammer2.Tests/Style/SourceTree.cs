// The sources of the repository as text, for the style tests: which files count, and the same text without comments
// and without the contents of strings, so that a word in a sentence is not taken for code.

using System.Text;

namespace Hammer2.Tests.Style;

/// <summary>One source file.</summary>
/// <param name="Path">Path below the repository's root, with slashes.</param>
/// <param name="Text">Its text.</param>
internal sealed record SourceFile(string Path, string Text)
{
    /// <summary>The text with comments and the contents of strings blanked; line numbers stay.</summary>
    internal string Code => SourceTree.CodeOf(Text);

    /// <summary>Line number of a position.</summary>
    internal int LineOf(int index) => Text.AsSpan(0, index).Count('\n') + 1;
}

/// <summary>Reads the sources.</summary>
internal static class SourceTree
{
    private static readonly string[] s_foreignFolders = ["bin", "obj", "artifacts", "TestResults", "BenchmarkDotNet.Artifacts"];

    /// <summary>Every file of these endings, except what builds leave behind.</summary>
    internal static IReadOnlyList<SourceFile> Files(params string[] endings) =>
        [.. Walk(new DirectoryInfo(Repository.Root)).Where(f => endings.Contains(f.Extension)).OrderBy(f => f.FullName, StringComparer.Ordinal)
            .Select(f => new SourceFile(System.IO.Path.GetRelativePath(Repository.Root, f.FullName).Replace('\\', '/'), File.ReadAllText(f.FullName)))];

    internal static string CodeOf(string text)
    {
        var code = new StringBuilder(text.Length);
        int at = 0;
        while (at < text.Length)
        {
            int end = Skip(text, at);
            if (end == at)
            {
                code.Append(text[at++]);
                continue;
            }

            for (; at < end; at++)
                code.Append(text[at] == '\n' ? '\n' : ' ');
        }

        return code.ToString();
    }

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder)
    {
        foreach (FileInfo file in folder.EnumerateFiles())
            yield return file;
        foreach (DirectoryInfo below in folder.EnumerateDirectories())
        {
            if (below.Name.StartsWith('.') || s_foreignFolders.Contains(below.Name))
                continue;
            foreach (FileInfo file in Walk(below))
                yield return file;
        }
    }

    // End of the comment, string or character that begins here; the same place if none does.
    private static int Skip(string text, int at)
    {
        ReadOnlySpan<char> rest = text.AsSpan(at);
        if (rest.StartsWith("//"))
            return EndOr(text, text.IndexOf('\n', at), 0);
        if (rest.StartsWith("/*"))
            return EndOr(text, text.IndexOf("*/", at + 2, StringComparison.Ordinal), 2);
        if (rest.StartsWith("\"\"\""))
            return EndOr(text, text.IndexOf("\"\"\"", at + 3, StringComparison.Ordinal), 3);
        if (rest.StartsWith("@\"") || rest.StartsWith("$@\"") || rest.StartsWith("@$\""))
            return EndOfVerbatim(text, text.IndexOf('"', at) + 1);
        if (rest[0] is '"' or '\'')
            return EndOfQuoted(text, at + 1, rest[0]);
        return at;
    }

    private static int EndOr(string text, int found, int length) => found < 0 ? text.Length : found + length;

    private static int EndOfVerbatim(string text, int at)
    {
        while (at < text.Length)
        {
            if (text[at] == '"' && (at + 1 == text.Length || text[at + 1] != '"'))
                return at + 1;
            at += text[at] == '"' ? 2 : 1;
        }

        return text.Length;
    }

    private static int EndOfQuoted(string text, int at, char quote)
    {
        while (at < text.Length && text[at] != quote && text[at] != '\n')
            at += text[at] == '\\' ? 2 : 1;
        return Math.Min(at + 1, text.Length);
    }
}
