// `hammer2 setcomp`, `setcheck`, `clrcheck`, `setcrc32`, `setxxhash64`, `setsha192`: how objects are stored from now on. What
// is stored already stays as it is until it is written again. Invariant: a place where it fails is reported, the rest still
// gets its turn. May call Listing, Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs about methods of objects.</summary>
internal static class MethodVerbs
{
    public static IEnumerable<VerbCommand> Create() =>
    [
        Compression(), Check(), Fixed("clrcheck", "Store data without a check code.", CheckMethod.None),
        Fixed("setcrc32", "Check data with CRC-32C.", CheckMethod.Iscsi32), Fixed("setxxhash64", "Check data with XXH64.", CheckMethod.XxHash64),
        Fixed("setsha192", "Check data with SHA-192.", CheckMethod.Sha192),
    ];

    private static VerbCommand Compression()
    {
        var method = new Argument<string>("METHOD") { Description = "none, autozero, lz4, zlib or zlib:6 to zlib:9; default = lz4, disabled = autozero." };
        return Verb(
            "setcomp",
            "Choose the compression of files, and of what will be made in directories.",
            "zlib:9",
            method,
            (parsed, _) => MethodSettings.TryParseCompression(parsed.GetRequiredValue(method), out CompressionMethod wanted, out int level)
                ? node => node.TrySetCompression(wanted, level)
                : throw CliException.Usage($"setcomp wants none, autozero, lz4, zlib or zlib:6 to zlib:9, not '{parsed.GetRequiredValue(method)}'"));
    }

    private static VerbCommand Check()
    {
        var method = new Argument<string>("METHOD") { Description = "none, disabled, crc32, xxhash64 or sha192; default = xxhash64." };
        return Verb(
            "setcheck",
            "Choose the check code of files, and of what will be made in directories.",
            "sha192",
            method,
            (parsed, _) => MethodSettings.TryParseCheck(parsed.GetRequiredValue(method), out CheckMethod wanted)
                ? node => node.TrySetCheck(wanted)
                : throw CliException.Usage($"setcheck wants none, disabled, crc32, xxhash64 or sha192, not '{parsed.GetRequiredValue(method)}'"));
    }

    private static VerbCommand Fixed(string name, string description, CheckMethod method) =>
        Verb(name, description, null, null, (_, _) => node => node.TrySetCheck(method));

    private static VerbCommand Verb(
        string name, string description, string? example, Argument<string>? method, Func<ParseResult, VerbContext, Func<Vnode, Hammer2Error>> change)
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("Files and directories inside the PFS.");
        var recursive = new Option<bool>("--recursive", "-r") { Description = "Everything below directories too." };
        var verb = new VerbCommand(name, description, $"hammer2 {name} disk.img@DATA {(example is null ? "" : example + " ")}/home -r") { image };
        if (method is not null)
            verb.Add(method);
        verb.Add(paths);
        verb.Add(recursive);
        return verb.Lives().Runs((context, parsed) => Change(
            context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), parsed.GetValue(recursive), change(parsed, context)));
    }

    private static VerbResult Change(VerbContext context, string imageName, string[] paths, bool recursive, Func<Vnode, Hammer2Error> change)
    {
        var failures = new FailureList();
        long changed = 0;
        using (OpenedImage image = OpenedImage.OpenPfs(context, imageName, writable: true))
        {
            var resolver = new PathResolver(image.Pfs);
            foreach (string path in paths)
            {
                try
                {
                    using ResolvedPath found = resolver.Resolve(path, followLast: true);
                    changed += Below(context, image.Pfs, found, recursive, change, failures);
                }
                catch (CliException failure)
                {
                    failures.Add(Failure.At(MediaText.Parse(path), "not_found", failure.Message) with { Line = failure.Message });
                }
            }

            image.Volume.Sync();
        }

        return new VerbResult(new Trees.ChangedShape(changed)) { Failures = failures };
    }

    private static long Below(VerbContext context, PfsMount pfs, ResolvedPath start, bool recursive, Func<Vnode, Hammer2Error> change, FailureList failures)
    {
        long changed = 0;
        var todo = new Stack<(ulong Inode, byte[] Path)>();
        todo.Push((start.Node.InodeNumber, start.Path));
        while (todo.TryPop(out (ulong Inode, byte[] Path) next))
        {
            context.Stop.ThrowIfCancellationRequested();
            Hammer2Error error = pfs.TryOpen(next.Inode, out Vnode? node);
            using (node)
            {
                if (error == Hammer2Error.None)
                    error = change(node!);
                if (error != Hammer2Error.None)
                {
                    failures.Add(Failure.At(next.Path, ErrorText.Code(error), ErrorText.Of(error)));
                    continue;
                }

                changed++;
                if (recursive && node!.Type == ObjectType.Directory)
                    PushEntries(node, next.Path, todo, failures);
            }
        }

        return changed;
    }

    private static void PushEntries(Vnode directory, byte[] path, Stack<(ulong Inode, byte[] Path)> todo, FailureList failures)
    {
        var batch = new DirectoryBatch { WithAttributes = false };
        ulong position = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            foreach (Hammer2Exception damage in batch.Damage)
                failures.Add(Failure.At(path, ErrorText.Code(damage.Error), damage.Message));
            for (int i = 0; i < batch.Count; i++)
                todo.Push((batch[i].InodeNumber, Trees.EachPlace.Join(path, batch.NameOf(i).ToArray())));
            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
    }
}
