// What the small writing verbs share: the PATH argument, and times, sizes and modes as people type them. Pure.
// Invariant: a value that cannot be right is refused before anything is opened.
// May call Output.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Arguments of writing verbs.</summary>
internal static class Changing
{
    public const uint DirectoryMode = 0x1ED, FileMode = 0x1A4;

    /// <summary>One or more paths of the PFS.</summary>
    public static Argument<string[]> Paths(string description) => new("PATH")
    {
        Description = description,
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Sources and a target as one argument: the last is the target, whatever their number.</summary>
    public static Argument<string[]> SourcesAndTarget(string target, string description) => new($"SOURCE... {target}")
    {
        Description = description,
        Arity = new ArgumentArity(2, 100_000),
    };

    /// <summary>Whom a new object belongs to when nothing else is asked for.</summary>
    public static uint OwnerIn(IFileTree tree, IFileNode directory) => tree.DefaultOwner ?? directory.GetAttributes().Uid;

    /// <summary>A time as find's --newer takes it, in microseconds since 1970.</summary>
    public static bool TryParseTime(string text, out long us)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        us = 0;
        if (text.StartsWith('@'))
            return TryParseEpoch(text.AsSpan(1), out us);
        if (!DateTime.TryParse(text, CultureInfo.InvariantCulture, Utc, out DateTime time))
            return false;
        us = MediaTime.FromUtc(time);
        return true;
    }

    /// <summary>An option's value, or the sentence that refuses it.</summary>
    public static void Check(Option<string?> option, Func<string, bool> isRight, string wants) => option.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && !isRight(result.Tokens[0].Value))
            result.AddError($"{option.Name} wants {wants}, not '{result.Tokens[0].Value}'");
    });

    // Seconds since 1970 with a fraction, as date +@%s.%N prints them.
    private static bool TryParseEpoch(ReadOnlySpan<char> text, out long us)
    {
        us = 0;
        bool right = decimal.TryParse(
            text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds);
        if (!right || Math.Abs(seconds) > long.MaxValue / 1_000_000)
            return false;
        us = (long)Math.Floor(seconds * 1_000_000);
        return true;
    }
}

/// <summary>A mode as chmod takes it: octal digits, or clauses such as <c>u+rwX,go-w</c>.</summary>
internal sealed class ModeChange
{
    private const uint AllBits = 0xFFF, SetUid = 0x800, SetGid = 0x400, Sticky = 0x200;
    private readonly uint? _octal;
    private readonly List<Clause> _clauses = [];

    private ModeChange(uint? octal) => _octal = octal;

    private readonly record struct Clause(uint Who, char Operation, string Permissions);

    public static bool TryParse(string text, out ModeChange change)
    {
        change = new ModeChange(null);
        if (text.Length is >= 1 and <= 5 && text.All(static c => c is >= '0' and <= '7'))
        {
            uint octal = Convert.ToUInt32(text, 8);
            change = new ModeChange(octal);
            return octal <= AllBits;
        }

        foreach (string part in text.Split(','))
        {
            if (!TryParseClauses(part, change._clauses))
                return false;
        }

        return true;
    }

    /// <summary>The mode that an object with this mode gets.</summary>
    public uint Apply(uint mode, bool isDirectory)
    {
        if (_octal is { } octal)
            return octal;
        foreach (Clause clause in _clauses)
        {
            uint bits = BitsOf(clause, mode, isDirectory);
            mode = clause.Operation switch
            {
                '+' => mode | bits,
                '-' => mode & ~bits,
                _ => mode & ~Reach(clause.Who) | bits,
            };
        }

        return mode & AllBits;
    }

    // [ugoa]* then one or more of [+-=] with [rwxXst]* or one of [ugo].
    private static bool TryParseClauses(string part, List<Clause> clauses)
    {
        int at = 0;
        uint who = 0;
        for (; at < part.Length && part[at] is 'u' or 'g' or 'o' or 'a'; at++)
            who |= part[at] switch { 'u' => 4u, 'g' => 2u, 'o' => 1u, _ => 7u };
        if (at == part.Length)
            return false;
        while (at < part.Length)
        {
            if (part[at] is not ('+' or '-' or '='))
                return false;
            char operation = part[at++];
            int start = at;
            while (at < part.Length && part[at] is 'r' or 'w' or 'x' or 'X' or 's' or 't')
                at++;
            if (at == start && at < part.Length && part[at] is 'u' or 'g' or 'o')
                at++;
            clauses.Add(new Clause(who == 0 ? 7u : who, operation, part[start..at]));
        }

        return true;
    }

    private static uint BitsOf(Clause clause, uint mode, bool isDirectory)
    {
        uint three = 0, special = 0;
        foreach (char permission in clause.Permissions)
        {
            three |= permission switch
            {
                'r' => 4u,
                'w' => 2u,
                'x' => 1u,
                'X' => isDirectory || (mode & 0x49) != 0 ? 1u : 0u,
                'u' => mode >> 6 & 7,
                'g' => mode >> 3 & 7,
                'o' => mode & 7,
                _ => 0u,
            };
            if (permission == 's')
                special |= ((clause.Who & 4) != 0 ? SetUid : 0) | ((clause.Who & 2) != 0 ? SetGid : 0);
            else if (permission == 't')
                special |= Sticky;
        }

        uint bits = special;
        for (int shift = 0; shift < 3; shift++)
        {
            if ((clause.Who >> shift & 1) != 0)
                bits |= three << (3 * shift);
        }

        return bits;
    }

    // What '=' takes away before it gives.
    private static uint Reach(uint who) =>
        ((who & 4) != 0 ? 0x1C0 | SetUid : 0) | ((who & 2) != 0 ? 0x38 | SetGid : 0) | ((who & 1) != 0 ? 7u | Sticky : 0);
}
