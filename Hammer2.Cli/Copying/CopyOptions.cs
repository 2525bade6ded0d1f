// What the user may choose about a copy, and what a copy counts and says of itself. Invariant: the counters of files
// are safe to change from several threads; the others belong to the walking thread.
// May call Output.

using Hammer2.Cli.Output;

namespace Hammer2.Cli.Copying;

/// <summary>Choices for <see cref="TreeCopier"/>.</summary>
/// <param name="Force">Replace files that exist.</param>
/// <param name="Resume">Leave files alone whose size and time match, replace the others.</param>
/// <param name="KeepPartial">Keep what can be read of a damaged file as NAME.partial.</param>
internal sealed record CopyOptions(bool Force, bool Resume, bool KeepPartial)
{
    public bool MayReplace => Force || Resume;
}

/// <summary>What a copy did.</summary>
internal sealed class CopyCounts
{
    private long _files, _bytes, _skipped, _partial;

    public long Directories { get; set; }

    public long Symlinks { get; set; }

    public long HardLinks { get; set; }

    public long Specials { get; set; }

    public long Files => Interlocked.Read(ref _files);

    /// <summary>Bytes of files as programs see them, holes included.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Left alone because they were there already.</summary>
    public long Skipped => Interlocked.Read(ref _skipped);

    /// <summary>Kept as NAME.partial.</summary>
    public long Partial => Interlocked.Read(ref _partial);

    public void AddFile(long bytes)
    {
        Interlocked.Increment(ref _files);
        Interlocked.Add(ref _bytes, bytes);
    }

    public void AddSkipped() => Interlocked.Increment(ref _skipped);

    public void AddPartial() => Interlocked.Increment(ref _partial);
}

/// <summary>What <c>get</c> prints.</summary>
internal sealed record CopySummary(
    string Destination,
    long Files,
    long Bytes,
    long Directories,
    long Symlinks,
    long HardLinks,
    long Specials,
    long Skipped,
    long Partial)
    : ITextShape
{
    public static CopySummary Of(string destination, CopyCounts counts) => new(
        destination,
        counts.Files,
        counts.Bytes,
        counts.Directories,
        counts.Symlinks,
        counts.HardLinks,
        counts.Specials,
        counts.Skipped,
        counts.Partial);

    public void WriteText(TextOutput output)
    {
        string line = $"copied {Files} files ({ByteSize.Show(Bytes)}), {Directories} directories, {Symlinks} symbolic links";
        if (HardLinks > 0)
            line += $", {HardLinks} hard links";
        if (Specials > 0)
            line += $", {Specials} special files";
        if (Skipped > 0)
            line += $", {Skipped} skipped";
        if (Partial > 0)
            line += $", {Partial} kept as .partial";
        output.Line($"{line} to {Destination}");
    }
}
