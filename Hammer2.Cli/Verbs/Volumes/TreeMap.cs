// A squarified tree map (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000): areas in proportion to sizes, each as near to a
// square as the row allows. Invariants: rectangles of one level never overlap and fill their parent but for its frame; sizes that
// are not positive get none. Pure.

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>A rectangle of a picture.</summary>
internal readonly record struct Box(double X, double Y, double Width, double Height)
{
    public double Area => Width * Height;

    /// <summary>What is left inside a frame.</summary>
    public Box Inside(double frame, double top) =>
        new(X + frame, Y + top, Math.Max(0, Width - 2 * frame), Math.Max(0, Height - top - frame));
}

/// <summary>Lays out rectangles.</summary>
internal static class TreeMap
{
    /// <summary>Rectangles for sizes in descending order, in the same order.</summary>
    public static Box[] LayOut(IReadOnlyList<double> sizes, Box area)
    {
        var boxes = new Box[sizes.Count];
        double total = sizes.Where(static size => size > 0).Sum();
        if (total <= 0 || area.Area <= 0)
            return boxes;
        double scale = area.Area / total;
        Box rest = area;
        for (int at = 0; at < sizes.Count && sizes[at] > 0;)
        {
            double side = Math.Min(rest.Width, rest.Height);
            double sum = 0;
            int end = at;
            double worst = double.MaxValue;
            while (end < sizes.Count && sizes[end] > 0)
            {
                double next = sum + sizes[end] * scale;
                double ratio = Worst(sizes[at] * scale, sizes[end] * scale, next, side);
                if (ratio > worst)
                    break;
                (worst, sum) = (ratio, next);
                end++;
            }

            rest = Row(sizes, boxes, at, end, scale, sum, rest);
            at = end;
        }

        return boxes;
    }

    // The least square of a row: its largest or its smallest.
    private static double Worst(double largest, double smallest, double sum, double side) =>
        Math.Max(side * side * largest / (sum * sum), sum * sum / (side * side * smallest));

    private static Box Row(IReadOnlyList<double> sizes, Box[] boxes, int at, int end, double scale, double sum, Box rest)
    {
        bool isColumn = rest.Width >= rest.Height;
        double thickness = sum / Math.Max(double.Epsilon, isColumn ? rest.Height : rest.Width);
        double place = isColumn ? rest.Y : rest.X;
        for (int i = at; i < end; i++)
        {
            double length = sizes[i] * scale / Math.Max(double.Epsilon, thickness);
            boxes[i] = isColumn ? new Box(rest.X, place, thickness, length) : new Box(place, rest.Y, length, thickness);
            place += length;
        }

        return isColumn
            ? new Box(rest.X + thickness, rest.Y, Math.Max(0, rest.Width - thickness), rest.Height)
            : new Box(rest.X, rest.Y + thickness, rest.Width, Math.Max(0, rest.Height - thickness));
    }
}
