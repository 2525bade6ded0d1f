// The page of `hammer2 usage --html`: one file without scripts and without anything from elsewhere, readable in every browser and in
// thirty years. Invariants: every name is escaped; a picture never has more parts than a browser draws at ease, what is smaller
// or beyond is added up and says so. May call TreeMap, Output and the engine's diagnostics.

using System.Globalization;
using System.Net;
using System.Text;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Makes the page.</summary>
internal static class UsagePage
{
    private const double MapWidth = 1160, MapHeight = 640, Frame = 2, Title = 15, SmallestSide = 6, SmallestTitle = 44;
    private const int Levels = 6, ZonesMax = 512, Segments = 256, Cell = 4;
    private static readonly string[] s_colours = ["#dbe7f3", "#c3d8ec", "#a9c7e4", "#8fb5da", "#76a3cf", "#5f92c4"];

    // Classes of segments: of nothing, and of the four kinds of blocks that the freemap tells apart.
    private static readonly (string Name, string Colour)[] s_classes =
        [("untouched", "#f2f2f2"), ("inodes", "#7a5195"), ("block tables", "#ef5675"), ("file data", "#2f7ebc"), ("long names", "#ffa600"), ("other", "#555555")];

    public static string Of(OpenedImage image, string label, VolumeUsage usage, CancellationToken stop)
    {
        var page = new StringBuilder();
        string name = Escape($"{image.Image}@{label}");
        page.Append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Usage of ").Append(name).Append("</title>\n<style>")
            .Append("body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1180px;padding:0 1em;color:#222}h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}")
            .Append("table{border-collapse:collapse}td,th{padding:.2em .9em .2em 0;text-align:left;border-bottom:1px solid #ddd}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}")
            .Append("svg{max-width:100%;height:auto;background:#fff}svg text{font:11px system-ui,sans-serif;fill:#123;pointer-events:none}.key span{display:inline-block;width:1em;height:1em;margin:0 .4em 0 1.2em;vertical-align:-.15em}")
            .Append("</style></head><body>\n<h1>Usage of ").Append(name).Append("</h1>\n");
        Summary(page, usage);
        Bar(page, usage);
        page.Append("<h2>Directories of ").Append(Escape(label)).Append("</h2>\n<p>Areas are stored bytes. Point at a directory to see its numbers.</p>\n");
        Directories(page, usage.Directories);
        page.Append("<h2>PFSs and snapshots</h2>\n<table><tr><th>Label<th class=n>refers to<th class=n>own<th class=n>inodes</tr>\n");
        foreach (PfsUsage pfs in usage.Pfses)
        {
            page.Append("<tr><td>").Append(Escape(pfs.Label)).Append(pfs.IsSnapshot ? " (snapshot)" : "").Append("<td class=n>").Append(ByteSize.Show(pfs.ReferencedBytes))
                .Append("<td class=n>").Append(ByteSize.Show(pfs.OwnBytes)).Append("<td class=n>").Append(pfs.Inodes).Append("</tr>\n");
        }

        page.Append("</table>\n<h2>Freemap</h2>\n");
        Freemap(page, image, stop);
        page.Append("</body></html>\n");
        return page.ToString();
    }

    private static void Summary(StringBuilder page, VolumeUsage usage)
    {
        page.Append("<table>\n");
        Row("usable", usage.TotalBytes);
        Row("free", usage.FreeBytes);
        Row("live", usage.LiveBytes);
        Row("only in snapshots", usage.SnapshotBytes);
        Row("reclaimable by bulkfree", usage.ReclaimableBytes);
        Row("metadata", usage.MetadataBytes);
        Row("file data as stored", usage.DataBytes);
        Row("file data as read", usage.LogicalBytes);
        Row("saved by deduplication", usage.DedupBytes);
        page.Append(CultureInfo.InvariantCulture, $"</table>\n<p>Compression {usage.CompressionRatio:0.00}.{(usage.IsExact ? "" : " Not exact: memory was too short to know every shared block again.")}");
        if (usage.Damaged > 0)
            page.Append(CultureInfo.InvariantCulture, $" <b>{usage.Damaged} blocks could not be read; run hammer2 fsck.</b>");
        page.Append("</p>\n");

        void Row(string what, long bytes) => page.Append(
            CultureInfo.InvariantCulture, $"<tr><td>{what}<td class=n>{ByteSize.Show(bytes)}<td class=n>{100.0 * bytes / Math.Max(1, usage.TotalBytes):0.0} %</tr>\n");
    }

    private static void Bar(StringBuilder page, VolumeUsage usage)
    {
        (string Name, string Colour, long Bytes)[] parts =
            [("live", "#2f7ebc", usage.LiveBytes), ("only in snapshots", "#7a5195", usage.SnapshotBytes), ("reclaimable", "#ffa600", usage.ReclaimableBytes), ("free", "#e6e6e6", usage.FreeBytes)];
        double total = Math.Max(1, parts.Sum(static part => (double)part.Bytes)), x = 0;
        page.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {MapWidth} 28\" width=\"{MapWidth}\" height=\"28\" role=\"img\" aria-label=\"use of the volume\">");
        foreach (var (name, colour, bytes) in parts)
        {
            double width = MapWidth * bytes / total;
            page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x:0.#}\" width=\"{width:0.##}\" height=\"28\" fill=\"{colour}\"><title>{name}: {ByteSize.Show(bytes)}</title></rect>");
            x += width;
        }

        page.Append("</svg>\n");
        Key(page, parts.Select(static part => (part.Name, part.Colour)));
    }

    private static void Key(StringBuilder page, IEnumerable<(string Name, string Colour)> entries)
    {
        page.Append("<p class=key>");
        foreach (var (name, colour) in entries)
            page.Append("<span style=\"background:").Append(colour).Append("\"></span>").Append(name);
        page.Append("</p>\n");
    }

    private static void Directories(StringBuilder page, IReadOnlyList<DirectoryUsage> all)
    {
        ILookup<ulong, DirectoryUsage> children = all.Where(static directory => directory.Path.Length > 0).ToLookup(static directory => directory.ParentInode);
        page.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {MapWidth} {MapHeight}\" width=\"{MapWidth}\" height=\"{MapHeight}\" role=\"img\" aria-label=\"tree map of directories\">\n");
        var todo = new Queue<(DirectoryUsage Directory, Box Box, int Level)>();
        if (all.FirstOrDefault(static directory => directory.Path.Length == 0) is { } root)
            todo.Enqueue((root, new Box(0, 0, MapWidth, MapHeight), 0));
        while (todo.TryDequeue(out var next))
        {
            Draw(page, next.Directory, next.Box, next.Level);
            Box inside = next.Box.Inside(Frame, Title);
            if (next.Level + 1 >= Levels || Math.Min(inside.Width, inside.Height) < SmallestSide)
                continue;

            // What belongs to no directory in the list are files and directories too small to be named: the area stays the parent's.
            DirectoryUsage[] below = [.. children[next.Directory.InodeNumber].Where(directory => directory.InodeNumber != next.Directory.InodeNumber).OrderByDescending(static directory => directory.StoredBytes)];
            double rest = Math.Max(0, next.Directory.StoredBytes - below.Sum(static directory => (double)directory.StoredBytes));
            List<double> sizes = [.. below.Select(static directory => (double)directory.StoredBytes)];
            int restAt = sizes.FindIndex(size => size < rest);
            if (rest > 0)
                sizes.Insert(restAt < 0 ? sizes.Count : restAt, rest);
            Box[] boxes = TreeMap.LayOut(sizes, inside);
            if (rest > 0)
                boxes = [.. boxes.Where((_, index) => index != (restAt < 0 ? sizes.Count - 1 : restAt))];
            for (int i = 0; i < below.Length; i++)
            {
                if (Math.Min(boxes[i].Width, boxes[i].Height) >= 1.5)
                    todo.Enqueue((below[i], boxes[i], next.Level + 1));
            }
        }

        page.Append("</svg>\n");
    }

    private static void Draw(StringBuilder page, DirectoryUsage directory, Box box, int level)
    {
        string path = Escape(MediaText.Show([(byte)'/', .. directory.Path]));
        page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{box.X:0.#}\" y=\"{box.Y:0.#}\" width=\"{box.Width:0.#}\" height=\"{box.Height:0.#}\" fill=\"{s_colours[level]}\" stroke=\"#fff\">")
            .Append(CultureInfo.InvariantCulture, $"<title>{path}\n{ByteSize.Show(directory.StoredBytes)} stored, {ByteSize.Show(directory.LogicalBytes)} in {directory.Files} files, {directory.Directories} directories</title></rect>");
        if (box.Width < SmallestTitle || box.Height < Title)
            return;
        string name = MediaText.Show(directory.Path.Length == 0 ? "/"u8.ToArray() : directory.Path[(Array.LastIndexOf(directory.Path, (byte)'/') + 1)..]);
        int fits = (int)((box.Width - 6) / 6.2);
        page.Append(CultureInfo.InvariantCulture, $"<text x=\"{box.X + 4:0.#}\" y=\"{box.Y + 11:0.#}\">{Escape(name.Length <= fits ? name : name[..Math.Max(1, fits - 1)] + "…")}</text>\n");
    }

    private static void Freemap(StringBuilder page, OpenedImage image, CancellationToken stop)
    {
        var rows = new StringBuilder();
        int zones = 0, drawn = 0;
        foreach (FreemapNode node in FreemapWalk.Run(image.Volume, stop))
        {
            if (node.Ref.Type != BlockRefType.FreemapLeaf || node.Records.Length == 0)
                continue;
            zones++;
            if (drawn == ZonesMax)
                continue;
            Zone(rows, node, drawn++);
        }

        page.Append(CultureInfo.InvariantCulture, $"<p>A row is 1 GiB, a cell 4 MiB; the fuller, the darker. Zones that nothing was ever written to are not shown.{(zones > drawn ? $" Only the first {drawn} of {zones} zones are drawn." : "")}</p>\n");
        page.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Segments * Cell} {drawn * Cell * 2}\" width=\"{Segments * Cell}\" height=\"{drawn * Cell * 2}\" role=\"img\" aria-label=\"map of the freemap\">\n").Append(rows).Append("</svg>\n");
        Key(page, s_classes);
    }

    private static void Zone(StringBuilder rows, FreemapNode node, int row)
    {
        for (int i = 0; i < node.Records.Length; i++)
        {
            FreemapCounts counts = FreemapCounts.Of(node.Records[i]);
            double full = (double)(FreemapBitmap.States - counts.Free) / FreemapBitmap.States;
            var (name, colour) = ClassOf(node.Records[i].Class, full);
            if (full <= 0)
                continue;
            rows.Append(CultureInfo.InvariantCulture, $"<rect x=\"{i * Cell}\" y=\"{row * Cell * 2}\" width=\"{Cell - 0.5}\" height=\"{Cell * 2 - 1}\" fill=\"{colour}\" opacity=\"{0.25 + 0.75 * full:0.##}\">")
                .Append(CultureInfo.InvariantCulture, $"<title>0x{node.Ref.Key + ((ulong)i << FormatLimits.SegmentRadix):x}: {name}, {100 * full:0} % used</title></rect>\n");
        }
    }

    // The class of a segment is the type of its blocks with their size (format page 9.3).
    private static (string Name, string Colour) ClassOf(ushort value, double full) => value == 0
        ? full > 0 ? s_classes[^1] : s_classes[0]
        : (BlockRefType)(value >> 8) switch
        {
            BlockRefType.Inode => s_classes[1],
            BlockRefType.Indirect => s_classes[2],
            BlockRefType.Data => s_classes[3],
            BlockRefType.Dirent => s_classes[4],
            _ => s_classes[^1],
        };

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
