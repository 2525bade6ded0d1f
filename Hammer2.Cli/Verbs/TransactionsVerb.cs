// `hammer2 transactions`: what clients have asked a mount to do, how far it is, and a way to stop it. Invariant: only asks the
// mount; a volume that nobody has mounted has none. May call Live and Output.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Live;
using Hammer2.Cli.Output;
using Hammer2.Control;

namespace Hammer2.Cli.Verbs;

/// <summary>Lists and cancels the transactions of a mount.</summary>
internal static class TransactionsVerb
{
    public static VerbCommand Create()
    {
        var volume = new Argument<string>("VOLUME") { Description = "A mounted image, or where it is mounted." };
        var cancel = new Option<long?>("--cancel") { Description = "Stop the transaction of this number.", HelpName = "N" };
        var pause = new Option<long?>("--pause") { Description = "Make the transaction of this number wait (scrub, verify).", HelpName = "N" };
        var resume = new Option<long?>("--resume") { Description = "Let it go on.", HelpName = "N" };
        return new VerbCommand(
            "transactions",
            "List what hammer2 commands make a mount do, and stop it.",
            OperatingSystem.IsWindows() ? "hammer2 transactions H:" : "hammer2 transactions /mnt/h2",
            "hammer2 transactions disk.img --cancel 3")
        {
            volume, cancel, pause, resume,
        }.Runs((context, parsed) => Run(
            context, parsed.GetRequiredValue(volume), [(parsed.GetValue(cancel), Cancel), (parsed.GetValue(pause), Pause), (parsed.GetValue(resume), Resume)]));
    }

    private static bool Cancel(ControlClient client, long number) => client.Cancel(number);

    private static bool Pause(ControlClient client, long number) => client.Pause(number, true);

    private static bool Resume(ControlClient client, long number) => client.Pause(number, false);

    private static VerbResult Run(VerbContext context, string volume, (long? Number, Func<ControlClient, long, bool> Action)[] wishes)
    {
        using ControlClient client = LiveClient.Find(context, volume, out _)
            ?? throw new CliException(ExitCode.CannotOpen, $"{volume} is not mounted, or its mount answers no commands");
        try
        {
            foreach (var (wanted, action) in wishes)
            {
                if (wanted is { } number && !action(client, number))
                    throw new CliException(ExitCode.Partial, $"there is no transaction {number} under way; 'hammer2 transactions {volume}' lists them");
            }

            return VerbResult.Of(new TransactionTable([.. client.List().Select(TransactionShape.Of)]));
        }
        catch (ControlException failure)
        {
            throw new CliException(ExitCode.Partial, failure.Message, failure);
        }
    }
}

/// <summary>The transactions of a mount.</summary>
internal sealed record TransactionTable(IReadOnlyList<TransactionShape> Transactions) : ITextShape
{
    private static readonly string[] s_headings = [">NUMBER", "STATE", "EXIT", "BEGUN (UTC)", "COMMAND", "SAYS"];

    public void WriteText(TextOutput output)
    {
        if (Transactions.Count > 0)
            output.Table(s_headings, [.. Transactions.Select(static transaction => transaction.Cells)]);
    }
}

/// <summary>A transaction.</summary>
internal sealed record TransactionShape(
    long Number, string State, int? ExitCode, DateTime BegunUtc, DateTime? EndedUtc, bool Detached, string Command, string Message)
{
    private const int MessageCharsShown = 60;

    [System.Text.Json.Serialization.JsonIgnore]
    public string[] Cells =>
    [
        $"{Number}", State, ExitCode is { } code ? $"{code}" : "-", BegunUtc.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), Command, Message.Length <= MessageCharsShown ? Message : Message[..MessageCharsShown] + "...",
    ];

    public static TransactionShape Of(TransactionInfo info) => new(
        info.Number, info.State.ToString().ToLowerInvariant(), info.ExitCode, info.BegunUtc, info.EndedUtc, info.Detached, info.Command, info.Message);
}
