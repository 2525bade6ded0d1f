// The library's own name matching, written independently of the adapter's: plain recursion over the definitions of the
// wildcards. It filters FindFiles, and judges what FindFilesWithPattern returned. Calls nothing.

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Reference matcher; only for short patterns.</summary>
internal static class NameExpression
{
    internal static bool Matches(string pattern, string name) => Match(pattern, 0, name, 0);

    private static bool Match(string pattern, int p, string name, int n)
    {
        if (p == pattern.Length)
            return n == name.Length;
        bool end = n == name.Length;
        switch (pattern[p])
        {
            case '*':
                for (int stop = n; stop <= name.Length; stop++)
                {
                    if (Match(pattern, p + 1, name, stop))
                        return true;
                }

                return false;
            case '<':
                int lastDot = name.LastIndexOf('.');
                int limit = lastDot >= n ? lastDot + 1 : name.Length;
                for (int stop = n; stop <= limit; stop++)
                {
                    if (Match(pattern, p + 1, name, stop))
                        return true;
                }

                return false;
            case '>':
                return end || name[n] == '.' ? Match(pattern, p + 1, name, n) : Match(pattern, p + 1, name, n + 1);
            case '"':
                return end ? Match(pattern, p + 1, name, n) : name[n] == '.' && Match(pattern, p + 1, name, n + 1);
            case '?':
                return !end && Match(pattern, p + 1, name, n + 1);
            default:
                return !end && char.ToUpperInvariant(pattern[p]) == char.ToUpperInvariant(name[n])
                    && Match(pattern, p + 1, name, n + 1);
        }
    }
}
