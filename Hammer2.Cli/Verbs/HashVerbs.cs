// `hammer2 hash` and `hammer2 dhash`: the two hashes of a name, for people who read raw dumps. Invariant: they
// need no image, and take names in the spelling in which other verbs print them.
// May call the engine's format and check codes.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>The directory hash of names.</summary>
internal static class HashVerb
{
    public static VerbCommand Create()
    {
        Argument<string[]> names = NameHash.Names();
        return new VerbCommand(
            "hash",
            "Print the directory hash of names: the key under which an entry is stored, without the collision bits.",
            "hammer2 hash passwd master.passwd")
        {
            names,
        }.Runs((_, parsed) => NameHash.Of(parsed.GetRequiredValue(names), DirectoryHash.Compute));
    }
}

/// <summary>The check code of the 1 KiB block that holds a long name.</summary>
internal static class NameBlockHashVerb
{
    private const int NameBlockBytes = 1 << FormatLimits.AllocationRadixMin;

    public static VerbCommand Create()
    {
        Argument<string[]> names = NameHash.Names();
        return new VerbCommand(
            "dhash",
            "Print the xxhash64 of the 1 KiB block that holds a name, as a directory entry of a long name checks it.",
            "hammer2 dhash passwd")
        {
            names,
        }.Runs((_, parsed) => NameHash.Of(parsed.GetRequiredValue(names), Compute));
    }

    private static ulong Compute(ReadOnlySpan<byte> name)
    {
        Span<byte> block = stackalloc byte[NameBlockBytes];
        block.Clear();
        name.CopyTo(block);
        return Checks.XxHash(block);
    }
}

/// <summary>A name and its hash.</summary>
internal sealed record NameHash(string? Name, string? NameHex, string Hash) : ITextShape
{
    public delegate ulong Function(ReadOnlySpan<byte> name);

    public void WriteText(TextOutput output) =>
        output.Line($"{Hash} {(Name is null ? MediaText.Show(Convert.FromHexString(NameHex!)) : MediaText.Show(Name))}");

    public static Argument<string[]> Names() => new("NAME")
    {
        Description = @"Names, one component each; \xNN stands for one byte.",
        Arity = ArgumentArity.OneOrMore,
    };

    public static VerbResult Of(string[] names, Function hash) => VerbResult.Listing("hashes", names.Select(typed =>
    {
        byte[] name = MediaText.Parse(typed);
        if (name.Length is 0 or > FormatLimits.NameBytesMax || name.Contains((byte)'/') || name.Contains((byte)0))
            throw CliException.Usage($"'{typed}' is not a name of 1 to 255 bytes without '/'");
        var (text, hex) = MediaText.Split(name);
        return new NameHash(text, hex, $"0x{hash(name):x16}");
    }));
}
