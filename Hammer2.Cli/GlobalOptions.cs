// The options that every verb takes and the arguments that many verbs share, so that they are named,
// described and completed the same way everywhere. Invariant: a value that cannot be right is refused here,
// before anything is opened. May call Output for sizes.

using System.CommandLine;
using Hammer2.Cli.Output;

namespace Hammer2.Cli;

/// <summary>Options of the root command, valid after any verb.</summary>
internal static class GlobalOptions
{
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Print JSON instead of text.",
        Recursive = true,
    };

    public static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "Log what the engine does to stderr, and full error details.",
        Recursive = true,
    };

    public static readonly Option<long?> Cache = new("--cache")
    {
        Description = "Memory for cached blocks, such as 64M or 1G (default 256M).",
        HelpName = "SIZE",
        Recursive = true,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (ByteSize.TryParse(text, out long bytes) && bytes >= 1 << 20)
                return bytes;
            result.AddError($"--cache wants a size of at least 1M, such as 64M or 1G, not '{text}'.");
            return null;
        },
    };

    public static readonly Option<int?> ReadAhead = new("--read-ahead")
    {
        Description = "Blocks of 64 KiB to keep ahead of sequential readers (default 32; 0 switches it off).",
        HelpName = "BLOCKS",
        Recursive = true,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, out int blocks) && blocks is >= 0 and <= 4096)
                return blocks;
            result.AddError($"--read-ahead wants a number of blocks from 0 to 4096, not '{text}'.");
            return null;
        },
    };

    public static readonly Option<int?> Partition = new("--partition")
    {
        Description = "Which partition of a whole-disk image to use (volume-list shows them).",
        HelpName = "N",
        Recursive = true,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, out int number) && number >= 0)
                return number;
            result.AddError($"--partition wants a number that volume-list shows, not '{text}'.");
            return null;
        },
    };

    /// <summary>For programs that show a bar of their own; passed on to a mount like any argument.</summary>
    public static readonly Option<bool> ProgressJson = new("--progress-json")
    {
        Description = "Write progress to stderr as lines of JSON.",
        Recursive = true,
        Hidden = true,
    };

    /// <summary>For programs that start this one and cannot send it a signal; looked for before the arguments are parsed.</summary>
    public static readonly Option<bool> StopWithInput = new("--stop-with-input")
    {
        Description = "The end of standard input stops the verb as Ctrl+C does.",
        Recursive = true,
        Hidden = true,
    };

    public static readonly Option<string?> LogFile = new("--log-file")
    {
        Description = "Also write the log, with every detail, to this file; it is continued in a new one every 10 MiB.",
        HelpName = "PATH",
        Recursive = true,
    };

    public static readonly Option<string> LogFormat = LogFormatOption();

    /// <summary>Of the verbs that take long on a mounted volume.</summary>
    public static readonly Option<bool> Detach = new("--detach")
    {
        Description = "On a mounted volume: leave it to the mount and return at once; 'hammer2 transactions' shows how far it is.",
    };

    public static IEnumerable<Option> All => [Json, Verbose, Cache, ReadAhead, Partition, LogFile, LogFormat, ProgressJson, StopWithInput];

    private static Option<string> LogFormatOption()
    {
        var option = new Option<string>("--log-format")
        {
            Description = "How log files are written: text, or json with one object per line.",
            Recursive = true,
            DefaultValueFactory = _ => "text",
        };
        option.AcceptOnlyFromAmong("text", "json");
        return option;
    }

    /// <summary>IMAGE[@LABEL].</summary>
    public static Argument<string> Image() => new("IMAGE[@LABEL]")
    {
        Description = "Image file, disk or partition; several volumes as A:B:C; @LABEL chooses a PFS.",
    };

    /// <summary>IMAGE, for verbs that look at the volume and not into a PFS.</summary>
    public static Argument<string> Volume() => new("IMAGE")
    {
        Description = "Image file, disk or partition; several volumes as A:B:C.",
    };

    /// <summary>A path inside the PFS that defaults to its root.</summary>
    public static Argument<string> OptionalPath() => new("PATH")
    {
        Description = @"Path inside the PFS, '/' between names; \xNN stands for one byte, \\ for a backslash.",
        DefaultValueFactory = _ => "/",
    };

    /// <summary>A path inside the PFS that must be given.</summary>
    public static Argument<string> RequiredPath() => new("PATH")
    {
        Description = @"Path inside the PFS, '/' between names; \xNN stands for one byte, \\ for a backslash.",
    };
}
