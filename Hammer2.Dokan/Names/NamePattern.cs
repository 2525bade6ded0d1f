// Matching of file names against the patterns that Win32 hands to a file system (dokan-semantics B.21).
// Invariants: time is bounded by pattern length times name length, whatever the pattern; case is ignored by FoldTable
// alone; names are matched as they are shown. Calls FoldTable.

using System.Buffers;

namespace Hammer2.Dokan.Names;

/// <summary>Wildcards: <c>*</c> any run; <c>?</c> one unit; <c>&lt;</c> any run that does not go past the last dot;
/// <c>&gt;</c> one unit, or nothing at a dot or at the end; <c>"</c> a dot, or nothing at the end.</summary>
internal static class NamePattern
{
    private const int StatesOnStack = 512;

    /// <summary>Does the pattern stand for all entries? An empty one does.</summary>
    internal static bool IsAll(ReadOnlySpan<char> pattern) => pattern.IsEmpty || (pattern.Length == 1 && pattern[0] == '*');

    /// <summary>Does the pattern hold a wildcard at all?</summary>
    internal static bool HasWildcards(ReadOnlySpan<char> pattern) => pattern.IndexOfAny("*?<>\"") >= 0;

    /// <summary>Does the name match?</summary>
    internal static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        // One flag a position of the pattern: "what follows here may still match the rest of the name".
        int states = pattern.Length + 1;
        if (states <= StatesOnStack)
        {
            Span<bool> flags = stackalloc bool[2 * StatesOnStack];
            return Matches(pattern, name, flags[..states], flags.Slice(StatesOnStack, states));
        }

        bool[] rented = ArrayPool<bool>.Shared.Rent(2 * states);
        try
        {
            return Matches(pattern, name, rented.AsSpan(0, states), rented.AsSpan(states, states));
        }
        finally
        {
            ArrayPool<bool>.Shared.Return(rented);
        }
    }

    private static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name, Span<bool> now, Span<bool> next)
    {
        int lastDot = name.LastIndexOf('.');
        now.Clear();
        now[0] = true;
        for (int i = 0; i < name.Length; i++)
        {
            SkipEmpty(pattern, now, atEnd: false, atDot: name[i] == '.');
            next.Clear();
            bool any = false;
            for (int p = 0; p < pattern.Length; p++)
            {
                if (!now[p])
                    continue;
                int target = Consume(pattern[p], p, name[i], i, lastDot);
                if (target < 0)
                    continue;
                next[target] = true;
                any = true;
            }

            if (!any)
                return false;
            Span<bool> swap = now;
            now = next;
            next = swap;
        }

        SkipEmpty(pattern, now, atEnd: true, atDot: false);
        return now[pattern.Length];
    }

    /// <summary>Follows the wildcards that may stand for nothing at this place.</summary>
    private static void SkipEmpty(ReadOnlySpan<char> pattern, Span<bool> states, bool atEnd, bool atDot)
    {
        for (int p = 0; p < pattern.Length; p++)
        {
            if (!states[p])
                continue;
            bool empty = pattern[p] switch
            {
                '*' or '<' => true,
                '>' => atEnd || atDot,
                '"' => atEnd,
                _ => false,
            };
            if (empty)
                states[p + 1] = true;
        }
    }

    /// <summary>Where the pattern stands after it took one unit of the name, or -1 when it cannot take it.</summary>
    private static int Consume(char wanted, int position, char unit, int index, int lastDot) => wanted switch
    {
        '*' => position,
        '?' => position + 1,

        // Beyond the last dot (or without any) the run is free; before it the run ends with that dot at the latest.
        '<' => index == lastDot ? position + 1 : position,
        '>' => unit == '.' ? -1 : position + 1,
        '"' => unit == '.' ? position + 1 : -1,
        _ => FoldTable.Fold(wanted) == FoldTable.Fold(unit) ? position + 1 : -1,
    };
}
