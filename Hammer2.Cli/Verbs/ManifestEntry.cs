// One entry of a manifest, written by hand because its rules are the golden manifests': which fields
// exist depends on the type, their order is fixed, and `sha256` may be an explicit null.
// May call Listing and Output.

using System.Text.Json;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;

namespace Hammer2.Cli.Verbs;

/// <summary>An entry of a manifest.</summary>
[JsonConverter(typeof(Converter))]
internal sealed class ManifestEntry(TreeEntry entry) : ITextShape
{
    public TreeEntry Entry { get; } = entry;

    public int? HardlinkGroup { get; init; }

    /// <summary>Of files; null when they are too large, or unreadable (then <see cref="Error"/> says why).</summary>
    public string? Sha256 { get; init; }

    /// <summary>Of symbolic links.</summary>
    public byte[]? Target { get; init; }

    public string? Error { get; init; }

    public void WriteText(TextOutput output) => output.Line(JsonSerializer.Serialize(this, ResultWriter.Shapes));

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        Bytes(writer, "path", Entry.Path);
        writer.WriteString("type", MethodNames.Of(Entry.Type));
        if (Entry.IsReadable)
            WriteAttributes(writer, Entry.Attributes);
        else if (Entry.InodeNumber != 0)
            writer.WriteNumber("inum", Entry.InodeNumber);
        if (Error is not null)
            writer.WriteString("error", Error);
        writer.WriteEndObject();
    }

    private void WriteAttributes(Utf8JsonWriter writer, in InodeAttributes attributes)
    {
        writer.WriteString("mode", Modes.Octal(attributes.Mode));
        writer.WriteNumber("uid", attributes.Uid);
        writer.WriteNumber("gid", attributes.Gid);
        if (Entry.Type is ObjectType.File or ObjectType.Symlink)
            writer.WriteNumber("size", attributes.Size);
        writer.WriteNumber("nlink", attributes.LinkCount);
        writer.WriteNumber("mtime_us", attributes.ModifyTimeUs);
        if (attributes.UserFlags != 0)
            writer.WriteNumber("uflags", attributes.UserFlags);
        if (Entry.Type is ObjectType.CharDevice or ObjectType.BlockDevice)
        {
            writer.WriteStartArray("rdev");
            writer.WriteNumberValue(attributes.DeviceMajor);
            writer.WriteNumberValue(attributes.DeviceMinor);
            writer.WriteEndArray();
        }

        writer.WriteNumber("inum", attributes.InodeNumber);
        if (Sha256 is not null)
            writer.WriteString("sha256", Sha256);
        else if (Entry.Type == ObjectType.File && Error is null)
            writer.WriteNull("sha256");
        if (Target is not null)
            Bytes(writer, "target", Target);
        if (HardlinkGroup is { } group)
            writer.WriteNumber("hardlink_group", group);
        writer.WriteString("check", MethodNames.Of(attributes.Check));
        writer.WriteString("comp", MethodNames.Of(attributes.Compression));
        if (attributes.CompressionLevel != 0)
            writer.WriteNumber("comp_level", attributes.CompressionLevel);
    }

    private static void Bytes(Utf8JsonWriter writer, string name, byte[] value)
    {
        var (text, hex) = MediaText.Split(value);
        writer.WriteString(text is null ? name + "_hex" : name, text ?? hex);
    }

    /// <summary>Hands the serializer over to <see cref="ManifestEntry.Write"/>.</summary>
    internal sealed class Converter : JsonConverter<ManifestEntry>
    {
        public override ManifestEntry Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("manifests are written, not read");

        public override void Write(Utf8JsonWriter writer, ManifestEntry value, JsonSerializerOptions options) =>
            value.Write(writer);
    }
}
