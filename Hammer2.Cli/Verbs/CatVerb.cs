// `hammer2 cat`: the bytes of files. Invariant: an unreadable range ends the file with an error: what was
// written up to there is right, nothing is made up. Memory is one buffer.
// May call Listing and Output.

using System.Buffers;
using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Prints files.</summary>
internal static class CatVerb
{
    private const int BufferBytes = 1 << 20;

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = new("PATH")
        {
            Description = "Files inside the PFS; symbolic links are followed.",
            Arity = ArgumentArity.OneOrMore,
        };
        return new VerbCommand(
            "cat",
            "Write the contents of files to standard output.",
            "hammer2 cat disk.img@DATA /etc/rc.conf",
            "hammer2 cat disk.img@DATA /boot/kernel > kernel")
        {
            image, paths,
        }.Lives().RunsRaw((context, parsed) => Cat(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths)));
    }

    private static int Cat(VerbContext context, string imageName, string[] paths)
    {
        using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        var resolver = new PathResolver(image.Pfs);
        var failures = new FailureList();
        if (context.Json)
            CatJson(context, resolver, paths, failures);
        else
            CatBytes(context, resolver, paths, failures);
        foreach (Failure failure in failures.ToList())
            context.Say(failure.Line);
        return failures.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }

    private static void CatBytes(VerbContext context, PathResolver resolver, string[] paths, FailureList failures)
    {
        foreach (string path in paths)
        {
            using ResolvedPath? file = Open(resolver, path, failures);
            if (file is not null)
                Copy(context, file, failures, part => context.Terminal.Output.Write(part));
        }
    }

    // {"files":[{"path":..,"size":..,"content":"base64"}],"failures":[..]}; content is encoded as it is read.
    private static void CatJson(VerbContext context, PathResolver resolver, string[] paths, FailureList failures)
    {
        Stream output = context.Terminal.Output;
        output.Write("{\"files\":["u8);
        bool first = true;
        foreach (string path in paths)
        {
            using ResolvedPath? file = Open(resolver, path, failures);
            if (file is null)
                continue;
            var (text, hex) = MediaText.Split(file.Path);
            if (!first)
                output.Write(","u8);
            first = false;
            string name = JsonSerializer.Serialize(text ?? hex, ResultWriter.Shapes);
            output.Write(System.Text.Encoding.UTF8.GetBytes(
                $"{{\"{(text is null ? "path_hex" : "path")}\":{name},\"size\":{file.Node.GetAttributes().Size},\"content\":\""));
            using (var base64 = new CryptoStream(output, new ToBase64Transform(), CryptoStreamMode.Write, leaveOpen: true))
                Copy(context, file, failures, part => base64.Write(part));
            output.Write("\"}"u8);
        }

        output.Write("],\"failures\":"u8);
        output.Write(JsonSerializer.SerializeToUtf8Bytes(failures.ToList(), ResultWriter.Shapes));
        output.Write("}\n"u8);
    }

    private static ResolvedPath? Open(PathResolver resolver, string path, FailureList failures)
    {
        try
        {
            ResolvedPath file = resolver.Resolve(path, followLast: true);
            if (file.Node.Type == ObjectType.File)
                return file;
            string what = file.Node.Type == ObjectType.Directory
                ? "is a directory"
                : "is a " + MethodNames.Of(file.Node.Type) + ", not a file";
            failures.Add(Failure.At(file.Path, "not_a_file", what));
            file.Dispose();
        }
        catch (CliException failure)
        {
            failures.Add(Failure.At(MediaText.Parse(path), "not_readable", failure.Message) with { Line = failure.Message });
        }

        return null;
    }

    private static void Copy(VerbContext context, ResolvedPath file, FailureList failures, ReadOnlySpanAction write)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        long offset = 0;
        try
        {
            while (true)
            {
                context.Stop.ThrowIfCancellationRequested();
                int read = ReadAsFarAsPossible(file.Node, offset, buffer.AsSpan(0, BufferBytes), out Hammer2Exception? damage);
                write(buffer.AsSpan(0, read));
                offset += read;
                if (damage is not null)
                {
                    failures.Add(
                        Failure.At(file.Path, ErrorText.Code(damage.Error), $"stopped at byte {offset}: {damage.Message}"));
                    return;
                }

                if (read == 0)
                    return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // A large read fails as a whole when one block in it is damaged: then block by block up to the damage.
    private static int ReadAsFarAsPossible(Vnode node, long offset, Span<byte> buffer, out Hammer2Exception? damage)
    {
        damage = null;
        try
        {
            return node.Read(offset, buffer);
        }
        catch (Hammer2Exception)
        {
            int done = 0;
            while (done < buffer.Length)
            {
                int block = FormatLimits.LogicalBlockBytes - (int)((offset + done) % FormatLimits.LogicalBlockBytes);
                int wanted = Math.Min(block, buffer.Length - done);
                try
                {
                    int read = node.Read(offset + done, buffer.Slice(done, wanted));
                    done += read;
                    if (read < wanted)
                        break;
                }
                catch (Hammer2Exception failure)
                {
                    damage = failure;
                    break;
                }
            }

            return done;
        }
    }

    private delegate void ReadOnlySpanAction(ReadOnlySpan<byte> part);
}
