// docs/format.md against the structures: every row must name a field of that offset and size, every field must have a row.
// The document and the code cannot drift apart without a red test.

using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Docs;

[TestClass]
public sealed class FormatDocumentTests
{
    private sealed record Row(int Offset, int Bytes, string Field);

    [TestMethod]
    [DataRow(typeof(BlockRef))]
    [DataRow(typeof(InodeData))]
    [DataRow(typeof(FreemapBitmap))]
    public void TableMatchesTheStructure(Type type)
    {
        Assert.AreEqual("", Differences(type, Table(ReadDocument(), type.Name)));
    }

    [TestMethod]
    public void HeaderTableMatchesTheProperties()
    {
        var header = new byte[FormatLimits.VolumeHeaderBytes];
        BitConverter.TryWriteBytes(header, VolumeHeader.Magic);
        foreach (Row row in Table(ReadDocument(), nameof(VolumeHeader)))
        {
            byte[] changed = (byte[])header.Clone();
            changed[row.Offset + row.Bytes - 1] = 0xA5;
            Assert.AreNotEqual(Value(header, row.Field), Value(changed, row.Field), $"{row.Field} does not end at 0x{row.Offset + row.Bytes:x}");
            changed = (byte[])header.Clone();
            changed[row.Offset] = 0xA5;
            Assert.AreNotEqual(Value(header, row.Field), Value(changed, row.Field), $"{row.Field} does not begin at 0x{row.Offset:x}");
        }

        string[] documented = [.. Table(ReadDocument(), nameof(VolumeHeader)).Select(r => r.Field)];
        string[] derived = [nameof(VolumeHeader.Bytes), nameof(VolumeHeader.LogicalSize)];
        foreach (PropertyInfo property in typeof(VolumeHeader).GetProperties())
            Assert.IsTrue(documented.Contains(property.Name) || derived.Contains(property.Name), $"{property.Name} is not documented");
    }

    [TestMethod]
    public void ComparisonSeesAWrongRow()
    {
        Row[] rows = [.. Table(ReadDocument(), nameof(BlockRef))];
        rows[3] = rows[3] with { Offset = rows[3].Offset + 1 };
        Assert.Contains(rows[3].Field, Differences(typeof(BlockRef), rows));
        Assert.Contains(rows[5].Field, Differences(typeof(BlockRef), [.. rows.Where((_, i) => i != 5)]));
    }

    internal static string ReadDocument() => File.ReadAllText(Path.Combine(Repository.Root, "docs", "format.md"));

    private static string Differences(Type type, IReadOnlyList<Row> rows)
    {
        var problems = new List<string>();
        FieldInfo[] fields = type.GetFields(BindingFlags.Public | BindingFlags.Instance);
        foreach (FieldInfo field in fields)
        {
            int offset = field.GetCustomAttribute<FieldOffsetAttribute>()!.Value;
            Type raw = field.FieldType.IsEnum ? Enum.GetUnderlyingType(field.FieldType) : field.FieldType;
            int bytes = (int)typeof(System.Runtime.CompilerServices.Unsafe).GetMethod("SizeOf")!.MakeGenericMethod(raw).Invoke(null, null)!;
            if (!rows.Contains(new Row(offset, bytes, field.Name)))
                problems.Add($"{field.Name} at 0x{offset:x}, {bytes} bytes: no such row");
        }

        problems.AddRange(rows.Where(r => fields.All(f => f.Name != r.Field)).Select(r => $"{r.Field}: no such field"));
        return string.Join("; ", problems);
    }

    private static List<Row> Table(string document, string heading)
    {
        var rows = new List<Row>();
        int at = document.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        Assert.IsGreaterThan(0, at, $"no section {heading}");
        foreach (string line in document[(at + 4)..].Split('\n').TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal)))
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (cells.Length > 4 && cells[1].StartsWith("0x", StringComparison.Ordinal))
                rows.Add(new Row(int.Parse(cells[1].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture), int.Parse(cells[2], CultureInfo.InvariantCulture), cells[3]));
        }

        Assert.IsGreaterThan(3, rows.Count, $"section {heading} has no table");
        return rows;
    }

    private static string Value(byte[] bytes, string property)
    {
        VolumeHeader.Parse((byte[])bytes.Clone(), out VolumeHeader? header);
        return property switch
        {
            nameof(VolumeHeader.SuperRoot) => Hex(header!.SuperRoot),
            nameof(VolumeHeader.Freemap) => Hex(header!.Freemap),
            _ => typeof(VolumeHeader).GetProperty(property)!.GetValue(header)!.ToString()!,
        };
    }

    private static string Hex(ReadOnlySpan<BlockRef> refs) => Convert.ToHexString(MemoryMarshal.AsBytes(refs));
}
