// `hammer2 write`: standard input into a file: as its whole contents, at an offset, or at its end. Invariant: on success
// the file holds every byte that standard input delivered.
// May call Trees and Output.

using System.Buffers;
using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Where input goes in a file.</summary>
/// <param name="Offset">First byte; null for the end of the file.</param>
/// <param name="Replaces">What was in the file before goes.</param>
/// <param name="MustBeNew">An existing file is refused.</param>
internal sealed record InputPlacement(long? Offset, bool Replaces, bool MustBeNew);

/// <summary>Writes standard input.</summary>
internal static class WriteVerb
{
    private const int BufferBytes = 1 << 20;

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.RequiredPath();
        var offset = new Option<string?>("--offset") { Description = "Write over the file from this byte on; the rest stays.", HelpName = "SIZE" };
        Changing.Check(offset, static text => ByteSize.TryParse(text, out _), "a position such as 512 or 1M");
        var append = new Option<bool>("--append", "-a") { Description = "Write at the end of the file." };
        return new VerbCommand(
            "write",
            "Write standard input into a file.",
            "hammer2 write disk.img@DATA /notes.txt < notes.txt",
            "hammer2 write --append disk.img@DATA /log",
            "hammer2 write --offset 1M disk.img@DATA /disk.raw")
        {
            image, path, offset, append,
        }.Runs((context, parsed) => Write(
            context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(path), parsed.GetValue(offset), parsed.GetValue(append)));
    }

    private static VerbResult Write(VerbContext context, string imageName, string path, string? offset, bool append)
    {
        if (append && offset is not null)
            throw CliException.Usage("--append and --offset exclude each other");
        long start = 0;
        if (offset is not null)
            _ = ByteSize.TryParse(offset, out start);
        return WriteInput(context, imageName, path, new InputPlacement(append ? null : start, !append && offset is null, MustBeNew: false));
    }

    /// <summary>Writes standard input into the file.</summary>
    internal static VerbResult WriteInput(VerbContext context, string imageName, string path, InputPlacement placement)
    {
        if (context.Terminal.Input is not { } input)
            throw CliException.Usage("there is no standard input");
        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            using TreePlace place = image.Paths.Find(path, followLast: true);
            if (placement.MustBeNew && place.Node is not null)
                throw CliException.Usage($"{path} exists; --force replaces it");
            Hammer2Error error = TruncateVerb.OpenForWriting(image.Tree, place, out IFileNode? file);
            if (error != Hammer2Error.None || file is null)
                throw Failed(place, error);
            using (file)
                return new WrittenShape(MediaText.Show(place.Path), Copy(context, input, place, file, placement));
        });
    }

    private static long Copy(VerbContext context, Stream input, TreePlace place, IFileNode file, InputPlacement placement)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long done = 0;
            while (true)
            {
                context.Stop.ThrowIfCancellationRequested();
                int read = input.ReadAtLeast(buffer.AsSpan(0, BufferBytes), BufferBytes, throwOnEndOfStream: false);
                if (read == 0)
                    break;
                ReadOnlySpan<byte> data = buffer.AsSpan(0, read);
                Hammer2Error error = placement.Offset is { } offset ? file.TryWrite(offset + done, data) : file.TryAppend(data);
                if (error != Hammer2Error.None)
                    throw Failed(place, error);
                done += read;
            }

            Hammer2Error cut = placement.Replaces ? file.TrySetSize(done) : Hammer2Error.None;
            return cut == Hammer2Error.None ? done : throw Failed(place, cut);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static CliException Failed(TreePlace place, Hammer2Error error) =>
        new(ExitCode.Partial, $"{MediaText.Show(place.Path)}: {ErrorText.Of(error)}");
}

/// <summary>What was written.</summary>
internal sealed record WrittenShape(string Path, long Bytes) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success.
    }
}
