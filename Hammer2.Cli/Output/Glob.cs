// Shell patterns over bytes: * any run, ? one UTF-8 character, [a-z] and [!a-z] one ASCII
// character of a set, \ takes the next literally. Linear memory, no recursion: a hostile pattern or
// name costs at most their product.

namespace Hammer2.Cli.Output;

/// <summary>Matches names of the medium against a pattern.</summary>
internal static class Glob
{
    public static bool IsMatch(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> name, bool ignoreCase = false)
    {
        int p = 0, n = 0, starAt = -1, resumeAt = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == (byte)'*')
            {
                starAt = p++;
                resumeAt = n;
            }
            else if (p < pattern.Length && MatchOne(pattern, ref p, name, ref n, ignoreCase))
            {
                // One element of the pattern took one character of the name.
            }
            else if (starAt >= 0)
            {
                p = starAt + 1;
                n = ++resumeAt;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == (byte)'*')
            p++;
        return p == pattern.Length;
    }

    // Advances both positions when the element at p matches the character at n, else leaves them.
    private static bool MatchOne(ReadOnlySpan<byte> pattern, ref int p, ReadOnlySpan<byte> name, ref int n, bool ignoreCase)
    {
        byte element = pattern[p];
        if (element == (byte)'?')
        {
            p++;
            n += CharacterLength(name[n..]);
            return true;
        }

        if (element == (byte)'[' && SetEnd(pattern, p) is int end and > 0)
        {
            if (!InSet(pattern[(p + 1)..end], name[n], ignoreCase))
                return false;
            p = end + 1;
            n++;
            return true;
        }

        int literal = element == (byte)'\\' && p + 1 < pattern.Length ? p + 1 : p;
        if (Fold(pattern[literal], ignoreCase) != Fold(name[n], ignoreCase))
            return false;
        p = literal + 1;
        n++;
        return true;
    }

    private static int SetEnd(ReadOnlySpan<byte> pattern, int start)
    {
        int first = start + 1;
        if (first < pattern.Length && pattern[first] is (byte)'!' or (byte)'^')
            first++;
        // A ']' directly after the opening is a member, as in the shell.
        for (int at = first + 1; at < pattern.Length; at++)
        {
            if (pattern[at] == (byte)']')
                return at;
        }

        return -1;
    }

    private static bool InSet(ReadOnlySpan<byte> set, byte value, bool ignoreCase)
    {
        bool negated = set[0] is (byte)'!' or (byte)'^';
        if (negated)
            set = set[1..];
        byte wanted = Fold(value, ignoreCase);
        bool found = false;
        for (int at = 0; at < set.Length; at++)
        {
            byte low = Fold(set[at], ignoreCase);
            byte high = low;
            if (at + 2 < set.Length && set[at + 1] == (byte)'-')
            {
                high = Fold(set[at + 2], ignoreCase);
                at += 2;
            }

            found |= wanted >= low && wanted <= high;
        }

        return found != negated;
    }

    private static int CharacterLength(ReadOnlySpan<byte> rest)
    {
        System.Text.Rune.DecodeFromUtf8(rest, out _, out int length);
        return length;
    }

    private static byte Fold(byte value, bool ignoreCase) =>
        ignoreCase && value is >= (byte)'A' and <= (byte)'Z' ? (byte)(value + 32) : value;
}
