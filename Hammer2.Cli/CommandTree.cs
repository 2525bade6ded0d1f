// Builds the command from its verbs and turns parse errors into one line that says what to do.
// Invariants: the only place that lists all verbs; every help ends with examples and exit codes; nothing here
// opens an image. May call System.CommandLine and the verbs' descriptions.

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Hammer2.Cli.Verbs;
using Hammer2.Cli.Verbs.Volumes;

namespace Hammer2.Cli;

/// <summary>The root command.</summary>
internal static class CommandTree
{
    // Directives of hammer2(8) that somebody may try because the manual page has them.
    private static readonly HashSet<string> s_network = ["connect", "disconnect", "status", "leaf", "shell", "debugspan", "rsainit", "rsaenc", "rsadec"];

    // Others of them, and what to do instead.
    private static readonly Dictionary<string, string> s_elsewhere = new(StringComparer.Ordinal)
    {
        ["cidprune"] = "'cidprune' is a name that no manual page and no published version of hammer2(8) describes, so that nobody could say what is right: it does nothing here; pfs-list and pfs-delete clear up PFSs, bulkfree gives back space",
        ["mountall"] = "'mountall' mounts LOCAL of every volume that it finds; here 'hammer2 mount' shows what you name, and '--save' with 'hammer2 saved mount' makes it again",
        ["snapshot-debug"] = "'snapshot-debug' is a snapshot without what waits to be written; use 'hammer2 snapshot', which never loses that",
    };

    public static RootCommand Build()
    {
        var root = new RootCommand("Mounts, reads and changes HAMMER2 volumes of DragonFly BSD: image files, disks and partitions.");
        foreach (Option option in GlobalOptions.All)
            root.Options.Add(option);
        foreach (VerbCommand verb in Verbs())
            root.Subcommands.Add(verb);

        // The usual help option would also take -h, which du needs, and /h and /?, which are paths here.
        HelpOption usual = root.Options.OfType<HelpOption>().Single();
        root.Options.Remove(usual);
        root.Options.Add(new HelpOption("--help", "-?") { Action = new HelpWithExamples((HelpAction)usual.Action!) });
        return root;
    }

    public static IEnumerable<VerbCommand> Verbs() =>
    [
        MountVerb.Create(), UmountVerb.Create(), MountsVerb.Create(), InfoVerb.Create(), LsVerb.Create(), TreeVerb.Create(),
        StatVerb.Create(), CatVerb.Create(), GetVerb.Create(), PutVerb.Create(), CpVerb.Create(), RmVerb.Create(),
        MkdirVerb.Create(), MvVerb.Create(), LnVerb.Create(), TouchVerb.Create(), ChmodVerb.Create(), ChownVerb.Create(),
        TruncateVerb.Create(), WriteVerb.Create(), FindVerb.Create(), DuVerb.Create(), VolumeListVerb.Create(),
        PfsListVerb.Create(), VolumeHeaderVerb.Create(), ShowVerb.Create(), FreemapVerb.Create(), HashVerb.Create(),
        NameBlockHashVerb.Create(), .. VerifyVerb.Create(), FsckVerb.Create(), ManifestVerb.Create(), DemoVerb.Create(),
        CompletionVerb.Create(), VersionVerb.Create(), NewfsVerb.Create(), TransactionsVerb.Create(), SnapshotVerb.Create(),
        .. PfsVerbs.Create(), .. SpaceVerbs.Create(), .. MethodVerbs.Create(), .. RescueVerbs.Create(),
        .. InodeVerbs.Create(), UsageVerb.Create(), SystemPathVerb.Create(), SavedVerb.Create(), ServiceVerb.Create(),
        .. RecoverVerbs.Create(), WatchVerb.Create(), DoctorVerb.Create(),
    ];

    /// <summary>Parses a command line.</summary>
    public static ParseResult Parse(string[] args) => Build().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    /// <summary>A mistyped option that was taken for an argument; names that begin with '-' come after '--'.</summary>
    public static void RefuseUnknownOptions(ParseResult parsed)
    {
        if (UnknownOption(parsed) is { } option)
            throw CliException.Usage(ExplainOption(FullName(parsed.CommandResult), option));
    }

    private static string ExplainOption(string verb, string option) =>
        $"{verb} has no option '{option}' (a name that begins with '-' comes after '--'); see 'hammer2 {verb} --help'";

    private static string? UnknownOption(ParseResult parsed)
    {
        if (parsed.Tokens.Any(static token => token.Type == TokenType.DoubleDash))
            return null;
        return parsed.CommandResult.Command.Arguments
            .SelectMany(argument => parsed.GetResult(argument)?.Tokens.Select(static token => token.Value) ?? [])
            .Concat(parsed.UnmatchedTokens)
            .FirstOrDefault(static value => value.Length > 1 && value[0] == '-');
    }

    /// <summary>The first parse error as one line, with the verb that was meant when it is guessable.</summary>
    public static string ExplainErrors(ParseResult parsed)
    {
        string verb = parsed.CommandResult.Command is VerbCommand ? FullName(parsed.CommandResult) : "";
        string help = verb.Length == 0 ? "hammer2 --help" : $"hammer2 {verb} --help";
        if (verb.Length == 0)
        {
            string? word = parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens[0] : null;
            if (word is null)
                return "say what to do, for example 'hammer2 ls disk.img'; 'hammer2 --help' lists the verbs";
            if (s_network.Contains(word))
                return $"'{word}' belongs to HAMMER2's network clustering, which is not part of this system; no directive of it touches a medium";
            if (s_elsewhere.TryGetValue(word, out string? explained))
                return explained;
            string? meant = Closest(word);
            return meant is null
                ? $"there is no verb '{word}'; '{help}' lists the verbs"
                : $"there is no verb '{word}'; did you mean '{meant}'?";
        }

        if (UnknownOption(parsed) is { } option)
            return ExplainOption(verb, option);
        string message = parsed.Errors[0].Message.TrimEnd('.').ReplaceLineEndings(" ");
        if (parsed.UnmatchedTokens.Count > 0)
            message = $"{verb}: one argument too many: '{parsed.UnmatchedTokens[0]}'";
        else if (MissingArgument(parsed) is { } missing)
            message = $"{verb} needs {missing}";
        else if (WrongKind(parsed.Errors[0]) is { } wrong)
            message = wrong;

        return $"{message}; see '{help}'";
    }

    // With the verb above it, for those that have one: "snapshot list".
    private static string FullName(CommandResult result) =>
        result.Parent is CommandResult { Command: VerbCommand above } ? $"{above.Name} {result.Command.Name}" : result.Command.Name;

    // The parser would name a type of .NET.
    private static string? WrongKind(ParseError error)
    {
        var (name, type, tokens) = error.SymbolResult switch
        {
            OptionResult option => (option.Option.Name, option.Option.ValueType, option.Tokens),
            ArgumentResult argument => (argument.Argument.Name, argument.Argument.ValueType, argument.Tokens),
            _ => ("", typeof(string), []),
        };
        if (tokens.Count == 0 || !error.Message.Contains("'System.", StringComparison.Ordinal))
            return null;
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        string kind = plain == typeof(Guid) ? "a UUID such as 5e949c5f-d7ef-f34d-a0ca-f74cec488344" : "a number";
        return $"{name} wants {kind}, not '{tokens[^1].Value}'";
    }

    private static string? MissingArgument(ParseResult parsed)
    {
        foreach (Argument argument in parsed.CommandResult.Command.Arguments)
        {
            int given = parsed.GetResult(argument)?.Tokens.Count ?? 0;
            if (given < argument.Arity.MinimumNumberOfValues && !argument.HasDefaultValue)
                return argument.Name;
        }

        return null;
    }

    private static string? Closest(string word)
    {
        (string Name, int Distance) best = Verbs()
            .Select(verb => (verb.Name, Distance(word, verb.Name))).MinBy(pair => pair.Item2);
        return best.Distance <= Math.Max(1, word.Length / 3) ? best.Name : null;
    }

    // Edit distance of two short words.
    private static int Distance(string a, string b)
    {
        int[] row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                row[j] = Math.Min(change, Math.Min(above, row[j - 1]) + 1);
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}

/// <summary>The usual help, then the verb's examples and the exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int code = usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is VerbCommand verb)
        {
            output.WriteLine("Examples:");
            foreach (string example in verb.Examples)
                output.WriteLine("  " + example);
        }
        else
        {
            output.WriteLine("Examples:");
            output.WriteLine("  hammer2 demo");
            output.WriteLine("  hammer2 ls disk.img@DATA /home -l");
            output.WriteLine(
                OperatingSystem.IsWindows() ? "  hammer2 mount disk.img@DATA H:" : "  hammer2 mount disk.img@DATA /mnt/h2");
        }

        output.WriteLine();
        output.WriteLine(
            "Exit codes: 0 done; 1 something could not be read or changed; 2 wrong arguments; 3 cannot open the volume; 130 interrupted.");
        return code;
    }
}
