// `hammer2 watch`: what a mount does, a line for each interval, until it is cancelled. Runs in the mount, which alone has the
// counters. Invariant: each line is out before the next wait begins, so that a pipe sees it at once. May call Live and Output.

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Hammer2.Cli.Output;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Watches a mount.</summary>
internal static class WatchVerb
{
    private const int HeadEvery = 20;
    private const double IntervalMin = 0.05, IntervalMax = 86400;

    public static VerbCommand Create()
    {
        Argument<string> volume = GlobalOptions.Volume();
        var interval = new Option<double>("--interval", "-i")
        {
            Description = "Seconds between lines; default 1.",
            HelpName = "S",
            DefaultValueFactory = static _ => 1,
            CustomParser = static result =>
            {
                string text = result.Tokens[0].Value;
                if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) && seconds is >= IntervalMin and <= IntervalMax)
                    return seconds;
                result.AddError($"--interval wants seconds from 0.05 to 86400, not '{text}'");
                return 1;
            },
        };
        var count = new Option<long?>("--count", "-c") { Description = "Lines to print; until Ctrl+C when left out.", HelpName = "N" };
        return new VerbCommand(
            "watch",
            "Show what a mount does: rates of reading and writing, cache, commits, space.",
            "hammer2 watch /mnt/h2",
            "hammer2 watch disk.img --interval 5 --count 12 --json")
        {
            volume, interval, count,
        }.Lives().RunsRaw((context, parsed) =>
        {
            if (context.Live is not { } live)
                throw new CliException(ExitCode.CannotOpen, $"{parsed.GetRequiredValue(volume)} is not mounted, or its mount answers no commands");
            return Watch(context, live.Volume, TimeSpan.FromSeconds(parsed.GetValue(interval)), parsed.GetValue(count) ?? long.MaxValue);
        });
    }

    private static int Watch(VerbContext context, Hammer2Volume volume, TimeSpan interval, long count)
    {
        VolumeStatistics before = volume.Statistics;
        long at = System.Diagnostics.Stopwatch.GetTimestamp();
        for (long line = 0; line < count; line++)
        {
            context.Stop.WaitHandle.WaitOne(interval);
            context.Stop.ThrowIfCancellationRequested();
            VolumeStatistics now = volume.Statistics;
            long time = System.Diagnostics.Stopwatch.GetTimestamp();
            WatchLine shown = WatchLine.Between(before, now, System.Diagnostics.Stopwatch.GetElapsedTime(at, time));
            string text = context.Json
                ? JsonSerializer.Serialize(shown, ResultWriter.Shapes) + "\n"
                : (line % HeadEvery == 0 ? WatchLine.Heading + "\n" : "") + shown.Text + "\n";
            context.Terminal.Output.Write(Encoding.UTF8.GetBytes(text));
            context.Terminal.Output.Flush();
            (before, at) = (now, time);
        }

        return ExitCode.Success;
    }
}

/// <summary>Rates between two looks, and levels at the second.</summary>
internal sealed record WatchLine(
    double Seconds,
    double ReadsPerSecond,
    double ReadBytesPerSecond,
    double ChangesPerSecond,
    double WrittenBytesPerSecond,
    double? CacheHitRatio,
    long CacheBytes,
    long Commits,
    double? CommitMs,
    long DirtyBytes,
    long FreeBytes,
    long TotalBytes)
{
    private static readonly int[] s_widths = [8, 10, 8, 10, 6, 10, 7, 9, 10, 10];

    /// <summary>Names of the columns.</summary>
    public static string Heading => Row("READS/S", "READ/S", "CHG/S", "WRITTEN/S", "HIT", "CACHE", "COMMITS", "MS", "DIRTY", "FREE");

    /// <summary>The line.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Text => Row(
        Number(ReadsPerSecond),
        ByteSize.Show((long)ReadBytesPerSecond),
        Number(ChangesPerSecond),
        ByteSize.Show((long)WrittenBytesPerSecond),
        CacheHitRatio is { } ratio ? ratio.ToString("0%", CultureInfo.InvariantCulture) : "-",
        ByteSize.Show(CacheBytes),
        Commits.ToString(CultureInfo.InvariantCulture),
        CommitMs is { } ms ? ms.ToString("0.0", CultureInfo.InvariantCulture) : "-",
        ByteSize.Show(DirtyBytes),
        ByteSize.Show(FreeBytes));

    public static WatchLine Between(VolumeStatistics before, VolumeStatistics now, TimeSpan time)
    {
        double seconds = Math.Max(time.TotalSeconds, 1e-6);
        long hits = now.CacheHits - before.CacheHits, looks = hits + now.CacheMisses - before.CacheMisses, commits = now.Commits - before.Commits;
        return new WatchLine(
            Math.Round(seconds, 3),
            Math.Round((now.Reads - before.Reads) / seconds, 1),
            Math.Round((now.ReadBytes - before.ReadBytes) / seconds),
            Math.Round((now.Changes - before.Changes) / seconds, 1),
            Math.Round((now.WrittenBytes - before.WrittenBytes) / seconds),
            looks > 0 ? Math.Round((double)hits / looks, 4) : null,
            now.CacheBytes,
            commits,
            commits > 0 ? Math.Round((now.CommitTime - before.CommitTime).TotalMilliseconds / commits, 2) : null,
            now.DirtyBytes,
            now.FreeBytes,
            now.TotalBytes);
    }

    private static string Number(double value) => value.ToString(value < 100 ? "0.#" : "0", CultureInfo.InvariantCulture);

    private static string Row(params string[] cells) => string.Join(' ', cells.Select(static (cell, i) => cell.PadLeft(s_widths[i])));
}
