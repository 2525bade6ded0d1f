// One step of a sequence. Steps speak of paths, names and handle slots and never of results of earlier steps, so that any
// part of a sequence is a sequence: what no longer makes sense is answered with an error, by both sides the same. That is
// what makes shrinking possible. Immutable; prints as one line.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Pfs;

namespace Hammer2.Torture.Model;

/// <summary>Kinds of steps.</summary>
internal enum OpKind
{
    Create,
    Link,
    Unlink,
    RemoveDirectory,
    Rename,
    Open,
    Close,
    Write,
    Append,
    SetSize,
    PunchHole,
    Allocate,
    SetAttributes,
    Read,
    List,
    Scan,
    Lookup,
    Stat,
    ReadLink,
    Sync,
    SyncFile,
    Reclaim,
    Remount,
    Compare,
}

/// <summary>What a write writes.</summary>
internal enum DataKind
{
    Zero,
    Random,
    Text,
    Mixed,
}

/// <summary>An object: a path from the root, or what a slot holds.</summary>
/// <param name="Path">"/" or "/a/b"; null when the slot counts.</param>
/// <param name="Slot">Number of a handle slot.</param>
internal readonly record struct Ref(string? Path, int Slot)
{
    public static Ref At(string path) => new(path, -1);

    public static Ref Of(int slot) => new(null, slot);

    public override string ToString() => Path is null ? $"#{Slot}" : Op.Show(Path);
}

/// <summary>One step.</summary>
internal sealed record Op(OpKind Kind)
{
    /// <summary>The directory or file.</summary>
    public Ref At { get; init; }

    /// <summary>A name in it.</summary>
    public string Name { get; init; } = "";

    /// <summary>Rename: the other directory. Link: the existing object.</summary>
    public Ref To { get; init; }

    public string NewName { get; init; } = "";

    public RenameMode Mode { get; init; }

    public NewObject? What { get; init; }

    /// <summary>Handle slot to fill, empty, or scan with.</summary>
    public int Slot { get; init; }

    public long Offset { get; init; }

    public long Length { get; init; }

    public DataKind Data { get; init; }

    public int DataSeed { get; init; }

    public bool Flag { get; init; }

    public AttributeChanges Changes { get; init; }

    /// <summary>The bytes that this step writes.</summary>
    public byte[] MakeData()
    {
        byte[] data = new byte[Length];
        var random = new Random(DataSeed);
        switch (Data)
        {
            case DataKind.Random:
                random.NextBytes(data);
                break;
            case DataKind.Text:
                byte[] line = Encoding.ASCII.GetBytes($"line {DataSeed} of a text that compresses well. ");
                for (int i = 0; i < data.Length; i++)
                    data[i] = line[i % line.Length];
                break;
            case DataKind.Mixed:
                // Stretches of random bytes and of zeros: some blocks compress, some do not, some are empty.
                for (int at = 0; at < data.Length;)
                {
                    int part = Math.Min(data.Length - at, random.Next(1, 30000));
                    if (random.Next(2) == 0)
                        random.NextBytes(data.AsSpan(at, part));
                    at += part;
                }

                break;
        }

        return data;
    }

    public override string ToString() => Kind switch
    {
        OpKind.Create => $"create {What!.Type} {At} {Show(Name)} mode {Convert.ToString((int)What.Mode, 8)} uid {What.Uid} gid {What.Gid}{(What.Target is null ? "" : $" -> {Show(What.Target)}")}",
        OpKind.Link => $"link {To} as {At} {Show(Name)}",
        OpKind.Unlink or OpKind.RemoveDirectory or OpKind.Lookup => $"{Kind} {At} {Show(Name)}",
        OpKind.Rename => $"rename {At} {Show(Name)} to {To} {Show(NewName)} {Mode}",
        OpKind.Open => $"open {At} as #{Slot}",
        OpKind.Close => $"close #{Slot}",
        OpKind.Write => $"write {At} {Offset}+{Length} {Data} {DataSeed}",
        OpKind.Append => $"append {At} {Length} {Data} {DataSeed}",
        OpKind.SetSize => $"set size {At} {Length}",
        OpKind.PunchHole or OpKind.Read => $"{Kind} {At} {Offset}+{Length}",
        OpKind.Allocate => $"allocate {At} {Offset}+{Length}{(Flag ? " keep size" : "")}",
        OpKind.SetAttributes => $"set {At}{ShowChanges()}",
        OpKind.List => $"list {At} by {Length}",
        OpKind.Scan => $"scan #{Slot} {Length} more",
        OpKind.Stat or OpKind.ReadLink or OpKind.SyncFile => $"{Kind} {At}",
        _ => Kind.ToString(),
    };

    /// <summary>A name or path on one line; long ones shortened in the middle.</summary>
    public static string Show(string text)
    {
        string shown = text.Length <= 64 ? text : string.Create(CultureInfo.InvariantCulture, $"{text[..24]}...[{text.Length}]...{text[^24..]}");
        return "\"" + string.Concat(shown.Select(static c => c is < ' ' or > '~' or '"' or '\\' ? $"\\x{(int)c:x2}" : c.ToString())) + "\"";
    }

    private string ShowChanges()
    {
        var text = new StringBuilder();
        void Add(string name, object? value)
        {
            if (value is not null)
                text.Append(CultureInfo.InvariantCulture, $" {name} {value}");
        }

        Add("mode", Changes.Mode);
        Add("uid", Changes.Uid);
        Add("gid", Changes.Gid);
        Add("flags", Changes.UserFlags);
        Add("atime", Changes.AccessTimeUs);
        Add("mtime", Changes.ModifyTimeUs);
        Add("ctime", Changes.ChangeTimeUs);
        Add("btime", Changes.BirthTimeUs);
        Add("compression", Changes.Compression);
        Add("level", Changes.CompressionLevel);
        Add("check", Changes.Check);
        Add("size", Changes.Size);
        return text.ToString();
    }
}
