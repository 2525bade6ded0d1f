// One command line out of many arguments, by the rules that CommandLineToArgvW documents and that .NET follows on Unix too:
// backslashes are doubled before a quote and at the end of a quoted argument, and are themselves everywhere else. Invariant: every
// argument arrives as it was, empty ones included. Calls nothing.

using System.Text;

namespace Hammer2.PowerShell.Running;

/// <summary>Quoting of arguments, which netstandard2.0 leaves to its users.</summary>
internal static class CommandLine
{
    private static readonly char[] s_needQuotes = [' ', '\t', '\n', '\v', '"'];

    /// <summary>The arguments with spaces between, quoted where they need it.</summary>
    public static string Of(IEnumerable<string> arguments)
    {
        var line = new StringBuilder();
        foreach (string argument in arguments)
        {
            if (line.Length > 0)
                line.Append(' ');
            if (argument.Length > 0 && argument.IndexOfAny(s_needQuotes) < 0)
                line.Append(argument);
            else
                AppendQuoted(line, argument);
        }

        return line.ToString();
    }

    private static void AppendQuoted(StringBuilder line, string argument)
    {
        line.Append('"');
        int backslashes = 0;
        foreach (char one in argument)
        {
            if (one == '\\')
            {
                backslashes++;
                continue;
            }

            // A quote takes the backslashes before it as escapes: each is doubled, and one more escapes the quote.
            line.Append('\\', one == '"' ? (2 * backslashes) + 1 : backslashes).Append(one);
            backslashes = 0;
        }

        line.Append('\\', 2 * backslashes).Append('"');
    }
}
