// Buffered UTF-8 text on a byte stream, and aligned columns. Invariant: lines end with \n on every system, so that
// scripts see the same bytes everywhere.
// Knows nothing of verbs; calls nothing of ours.

using System.Text;

namespace Hammer2.Cli.Output;

/// <summary>Where results write their text form.</summary>
internal sealed class TextOutput : IDisposable
{
    private readonly StreamWriter _writer;

    public TextOutput(Stream stream)
    {
        _writer = new StreamWriter(stream, new UTF8Encoding(false), 32768, leaveOpen: true) { NewLine = "\n" };
    }

    public void Line(string text = "") => _writer.WriteLine(text);

    public void Part(string text) => _writer.Write(text);

    /// <summary>A label of fixed width and a value, the form of every sheet of facts.</summary>
    public void Fact(string label, object? value, int width = 18)
    {
        if (value is not null)
            Line(label.PadRight(width) + " " + value);
    }

    /// <summary>Rows with columns as wide as their widest cell; a leading '&gt;' in a heading aligns right.</summary>
    public void Table(IReadOnlyList<string> headings, IReadOnlyList<string[]> rows)
    {
        int columns = headings.Count;
        var right = headings.Select(heading => heading.StartsWith('>')).ToArray();
        var names = headings.Select(heading => heading.TrimStart('>')).ToArray();
        var widths = names.Select((name, i) => rows.Select(row => row[i].Length).Append(name.Length).Max()).ToArray();
        Row(names);
        foreach (string[] row in rows)
            Row(row);

        void Row(string[] cells)
        {
            var line = new StringBuilder();
            for (int i = 0; i < columns; i++)
            {
                if (i > 0)
                    line.Append("  ");
                bool last = i == columns - 1;
                line.Append(right[i] ? cells[i].PadLeft(widths[i]) : last ? cells[i] : cells[i].PadRight(widths[i]));
            }

            Line(line.ToString().TrimEnd());
        }
    }

    public void Flush() => _writer.Flush();

    public void Dispose() => _writer.Dispose();
}
