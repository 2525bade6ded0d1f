// Copies trees between any two of: a PFS, its mount, the host. One thread walks the source and creates every name in
// order, so that what belongs together lies together on the medium; workers fill the files. Invariants: a failing entry is
// recorded and the copy goes on; a full or failed target ends it; a file whose bytes could not all be copied is removed
// again; memory is a buffer per worker, the names of one directory and a mark per hard-linked file. May call Trees.

using System.Buffers;
using System.Threading.Channels;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Copying;

/// <summary>Choices for <see cref="TreeCopy"/>.</summary>
internal sealed record TreeCopyOptions
{
    /// <summary>Replace files and links that exist, merge directories.</summary>
    public bool Force { get; init; }

    /// <summary>Leave files alone whose size and time match, replace the others.</summary>
    public bool Resume { get; init; }

    /// <summary>Give the copies the change times of the sources instead of now.</summary>
    public bool KeepChangeTimes { get; init; }

    /// <summary>Files that are not copied and why; the image itself, when it lies in the tree.</summary>
    public IReadOnlySet<NodeIdentity> Excluded { get; init; } = new HashSet<NodeIdentity>();

    /// <summary>Threads that read and write files.</summary>
    public int Workers { get; init; } = Math.Max(2, Environment.ProcessorCount);

    public bool MayReplace => Force || Resume;
}

/// <summary>One tree to copy.</summary>
/// <param name="Directory">What holds the source.</param>
/// <param name="Name">Its name there; empty: the directory itself, whose contents go into the target.</param>
/// <param name="Path">The source's path, for messages.</param>
/// <param name="Target">What is to hold the copy, or what the contents go into.</param>
/// <param name="TargetName">The copy's name; empty with an empty name.</param>
/// <param name="TargetPath">Path of the copy below the root of its tree.</param>
internal sealed record CopyStart(IFileNode Directory, byte[] Name, byte[] Path, IFileNode Target, byte[] TargetName, byte[] TargetPath);

/// <summary>Copies trees.</summary>
internal sealed class TreeCopy(IFileTree target, TreeCopyOptions options, FailureList failures, CancellationToken stop)
{
    private const int QueuedFilesMax = 256;
    private const int BufferBytes = 1 << 20;

    private readonly Dictionary<NodeIdentity, HardLinks> _links = [];
    private readonly CancellationTokenSource _fatal = CancellationTokenSource.CreateLinkedTokenSource(stop);
    private Exception? _fatalFailure;

    public CopyCounts Counts { get; } = new();

    /// <summary>Told of bytes that are done; called from several threads.</summary>
    public Action<long> Progress { get; init; } = static _ => { };

    /// <summary>Copies everything; the nodes stay the caller's.</summary>
    public void Run(IEnumerable<CopyStart> starts)
    {
        var queue = Channel.CreateBounded<FileJob>(new BoundedChannelOptions(QueuedFilesMax) { SingleWriter = true });
        Task[] workers = [.. Enumerable.Range(0, options.Workers)
            .Select(_ => Task.Factory.StartNew(
                () => Work(queue.Reader), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        try
        {
            using var buffer = new CopyBuffer();
            foreach (CopyStart start in starts)
                Walk(start, queue.Writer, buffer);
        }
        catch (OperationCanceledException) when (_fatalFailure is not null)
        {
            // Thrown below, once the workers have stopped.
        }
        finally
        {
            queue.Writer.Complete();
            Task.WaitAll(workers, CancellationToken.None);
        }

        if (_fatalFailure is not null)
            throw new CliException(ExitCode.Partial, $"the copy ended: {_fatalFailure.Message}", _fatalFailure);
        stop.ThrowIfCancellationRequested();
    }

    private void Walk(CopyStart start, ChannelWriter<FileJob> queue, CopyBuffer buffer)
    {
        var frames = new Stack<CopyFrame>();
        try
        {
            if (FirstFrame(start, queue, buffer) is { } first)
                frames.Push(first);
            while (frames.TryPeek(out CopyFrame? frame))
            {
                _fatal.Token.ThrowIfCancellationRequested();
                byte[]? name = Next(frame);
                if (name is null)
                {
                    frames.Pop();
                    Finish(frame);
                }
                else if (CopyEntry(frame, name, name, queue, buffer) is { } below)
                {
                    frames.Push(below);
                }
            }
        }
        finally
        {
            foreach (CopyFrame frame in frames)
                frame.Release();
        }
    }

    // Of the directory whose contents are copied; or of the entry itself, when that is a directory.
    private CopyFrame? FirstFrame(CopyStart start, ChannelWriter<FileJob> queue, CopyBuffer buffer)
    {
        if (start.Name.Length == 0)
            return new CopyFrame(start.Directory, start.Target, start.Path, start.TargetPath, start.Directory.GetAttributes(), owns: false);
        var above = new CopyFrame(start.Directory, start.Target, Above(start.Path), Above(start.TargetPath), default, owns: false);
        return CopyEntry(above, start.Name, start.TargetName, queue, buffer);
    }

    private static byte[] Above(byte[] path) => path[..(path.AsSpan().TrimEnd((byte)'/').LastIndexOf((byte)'/') + 1)];

    // The next name of the directory; when it cannot be listed any further that is reported and the directory ends.
    private byte[]? Next(CopyFrame frame)
    {
        try
        {
            return frame.Next();
        }
        catch (IOException failure)
        {
            Fail(frame.Path, failure);
            return null;
        }
    }

    // Copies one entry, or queues it. Returns the frame of a directory that is to be entered.
    private CopyFrame? CopyEntry(CopyFrame frame, byte[] name, byte[] targetName, ChannelWriter<FileJob> queue, CopyBuffer buffer)
    {
        byte[] path = frame.PathTo(name);
        try
        {
            Hammer2Error error = frame.Source.TryGetAttributes(name, out InodeAttributes attributes, out NodeIdentity identity);
            if (error != Hammer2Error.None)
                Fail(path, error);
            else if (options.Excluded.Contains(identity))
                failures.Add(Failure.At(path, "refused", "is the volume that is written to"));
            else if (attributes.Type == ObjectType.Directory)
                return EnterDirectory(frame, name, targetName, path, attributes);
            else if (attributes.LinkCount > 1)
                CopyLinked(frame, name, targetName, path, attributes, identity, buffer);
            else
                CopyPlain(frame, name, targetName, path, attributes, queue);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Fail(path, failure);
        }

        return null;
    }

    private CopyFrame? EnterDirectory(CopyFrame frame, byte[] name, byte[] targetName, byte[] path, in InodeAttributes attributes)
    {
        Hammer2Error error = frame.Source.TryLookup(name, NodeUse.Look, out IFileNode? source);
        if (error != Hammer2Error.None || source is null)
        {
            Fail(path, error);
            return null;
        }

        IFileNode? made = null;
        try
        {
            made = MakeDirectory(frame, targetName, path, attributes);
            if (made is null)
                return null;
            Counts.Directories++;
            var below = new CopyFrame(source, made, path, frame.TargetPathTo(targetName), attributes, owns: true);
            source = null;
            return below;
        }
        finally
        {
            source?.Dispose();
        }
    }

    private IFileNode? MakeDirectory(CopyFrame frame, byte[] name, byte[] path, in InodeAttributes attributes)
    {
        // Owner only until its contents are there, on systems that would let others in meanwhile.
        var what = new NewInode
        {
            Type = ObjectType.Directory,
            Mode = target.KeepsOwners ? attributes.Mode : attributes.Mode & 0x1C0 | 0x1C0,
            Uid = attributes.Uid,
            Gid = attributes.Gid,
        };
        Hammer2Error error = frame.Target.TryCreate(name, what, out IFileNode? made);
        if (error == Hammer2Error.Exists)
        {
            error = frame.Target.TryLookup(name, NodeUse.Look, out made);
            if (error == Hammer2Error.None && made!.Type == ObjectType.Directory && options.MayReplace)
                return made;
            made?.Dispose();
            Fail(path, "exists", made?.Type == ObjectType.Directory ? "exists; --force merges" : "exists and is not a directory");
            return null;
        }

        if (error == Hammer2Error.None)
            return made;
        FailTarget(path, error);
        return null;
    }

    private void Finish(CopyFrame frame)
    {
        try
        {
            if (frame.HasAttributes)
                Settle(frame.Path, frame.Target, frame.Attributes);
        }
        finally
        {
            frame.Release();
        }
    }

    // Files with several names are copied by the walker itself: whether the first copy worked is known when a second name comes.
    private void CopyLinked(
        CopyFrame frame, byte[] name, byte[] targetName, byte[] path, in InodeAttributes attributes, NodeIdentity identity, CopyBuffer buffer)
    {
        if (!_links.TryGetValue(identity, out HardLinks? links))
        {
            using IFileNode? made = MakeOther(frame, name, targetName, path, attributes, out bool skipped);
            bool copied = made is not null && (attributes.Type != ObjectType.File || FillOrRemove(new FileJob(frame, name, targetName, made, attributes), buffer));
            using IFileNode? kept = skipped && frame.Target.TryLookup(targetName, NodeUse.Look, out IFileNode? there) == Hammer2Error.None ? there : null;
            NodeMark? mark = copied || kept is not null ? target.MarkOf((copied ? made : kept)!, () => frame.TargetPathTo(targetName)) : null;
            _links.Add(identity, new HardLinks(mark, path) { NamesLeft = attributes.LinkCount - 1 });
            return;
        }

        if (--links.NamesLeft == 0)
            _links.Remove(identity);
        if (links.Mark is not { } first)
        {
            Fail(path, "not_copied", $"its other name {MediaText.Show(links.FirstPath)} was not copied now");
            return;
        }

        Hammer2Error error = target.TryReopen(first, out IFileNode? existing);
        using (existing)
        {
            if (error == Hammer2Error.None)
                error = frame.Target.TryLink(existing!, targetName);
            if (error == Hammer2Error.Exists && MakeRoom(frame, targetName, path))
                error = frame.Target.TryLink(existing!, targetName);
            else if (error == Hammer2Error.Exists)
                return;
        }

        if (error == Hammer2Error.None)
            Counts.HardLinks++;
        else
            FailTarget(path, error);
    }

    private void CopyPlain(
        CopyFrame frame, byte[] name, byte[] targetName, byte[] path, in InodeAttributes attributes, ChannelWriter<FileJob> queue)
    {
        IFileNode? made = MakeOther(frame, name, targetName, path, attributes, out _);
        if (made is null)
            return;
        if (attributes.Type != ObjectType.File)
        {
            made.Dispose();
            return;
        }

        frame.Hold();
        var job = new FileJob(frame, name, targetName, made, attributes);
        while (!queue.TryWrite(job))
        {
            // Waits while the workers are behind; the walk must not run ahead without bound.
            try
            {
                queue.WaitToWriteAsync(_fatal.Token).AsTask().GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                job.Drop();
                throw;
            }
        }
    }

    // Creates what is no directory. Links and special files are complete then; null when nothing was made.
    private IFileNode? MakeOther(CopyFrame frame, byte[] name, byte[] targetName, byte[] path, in InodeAttributes attributes, out bool skipped)
    {
        skipped = false;
        byte[] linkTarget = [];
        if (attributes.Type == ObjectType.Symlink)
            linkTarget = ReadTarget(frame, name);
        var what = new NewInode
        {
            Type = attributes.Type,
            Mode = target.KeepsOwners ? attributes.Mode : 0x180,
            Uid = attributes.Uid,
            Gid = attributes.Gid,
            DeviceMajor = attributes.DeviceMajor,
            DeviceMinor = attributes.DeviceMinor,
            SymlinkTarget = linkTarget,
        };
        Hammer2Error error = frame.Target.TryCreate(targetName, what, out IFileNode? made);
        if (error == Hammer2Error.Exists)
        {
            if (IsThere(frame, targetName, attributes, linkTarget))
            {
                skipped = true;
                Counts.AddSkipped();
                Progress(attributes.Type == ObjectType.File ? attributes.Size : 0);
                return null;
            }

            if (!MakeRoom(frame, targetName, path))
                return null;
            error = frame.Target.TryCreate(targetName, what, out made);
        }

        if (error != Hammer2Error.None || made is null)
        {
            FailTarget(path, error);
            return null;
        }

        if (attributes.Type == ObjectType.File)
            return made;
        Settle(path, made, attributes);
        if (attributes.Type == ObjectType.Symlink)
            Counts.Symlinks++;
        else
            Counts.Specials++;
        return made;
    }

    private static byte[] ReadTarget(CopyFrame frame, byte[] name)
    {
        Hammer2Error error = frame.Source.TryLookup(name, NodeUse.Look, out IFileNode? link);
        if (error != Hammer2Error.None || link is null)
            throw new Hammer2Exception(error, ErrorText.Of(error));
        using (link)
            return link.ReadLink();
    }

    private bool IsThere(CopyFrame frame, byte[] name, in InodeAttributes attributes, byte[] linkTarget)
    {
        if (!options.Resume || frame.Target.TryLookup(name, NodeUse.Look, out IFileNode? there) != Hammer2Error.None || there is null)
            return false;
        using (there)
        {
            if (there.Type != attributes.Type)
                return false;
            if (there.Type == ObjectType.Symlink)
                return there.ReadLink().AsSpan().SequenceEqual(linkTarget);
            InodeAttributes existing = there.GetAttributes();
            return there.Type == ObjectType.File && existing.Size == attributes.Size && existing.ModifyTimeUs == attributes.ModifyTimeUs;
        }
    }

    // True when nothing stands there any more.
    private bool MakeRoom(CopyFrame frame, byte[] name, byte[] path)
    {
        if (!options.MayReplace)
        {
            Fail(path, "exists", "exists; --force replaces it");
            return false;
        }

        Hammer2Error error = frame.Target.TryUnlink(name);
        if (error is Hammer2Error.None or Hammer2Error.NotFound)
            return true;
        if (error is Hammer2Error.IsADirectory or Hammer2Error.NotPermitted or Hammer2Error.NotEmpty)
            Fail(path, "exists", "exists and is a directory");
        else
            FailTarget(path, error);
        return false;
    }

    private void Work(ChannelReader<FileJob> queue)
    {
        using var buffer = new CopyBuffer();
        while (queue.WaitToReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult())
        {
            while (queue.TryRead(out FileJob? job))
            {
                try
                {
                    FillOrRemove(job, buffer);
                }
                finally
                {
                    job.Drop();
                }
            }
        }
    }

    // False when the file could not be copied; its name is then gone again.
    private bool FillOrRemove(FileJob job, CopyBuffer buffer)
    {
        bool done = false;
        try
        {
            done = !_fatal.IsCancellationRequested && TryFill(job, buffer);
            return done;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Fail(job.Path, failure);
            return false;
        }
        finally
        {
            if (!done)
                Remove(job);
        }
    }

    private bool TryFill(FileJob job, CopyBuffer buffer)
    {
        long size = job.Attributes.Size;
        if (size > 0)
        {
            Hammer2Error error = job.Frame.Source.TryLookup(job.Name, NodeUse.Read, out IFileNode? source);
            if (error != Hammer2Error.None || source is null)
            {
                Fail(job.Path, error);
                return false;
            }

            using (source)
            {
                if (source.Type != ObjectType.File || !CopyBytes(job, source, size, buffer.Bytes))
                {
                    if (!_fatal.IsCancellationRequested)
                        Fail(job.Path, "changed", "changed while it was copied");
                    return false;
                }
            }
        }

        Settle(job.Path, job.Target, job.Attributes);
        Counts.AddFile(size);
        return true;
    }

    // False when the source ends early or the copy was stopped.
    private bool CopyBytes(FileJob job, IFileNode source, long size, byte[] buffer)
    {
        bool sparse = job.Attributes.AllocatedBytes < size;
        long offset = 0, written = 0;
        while (offset < size)
        {
            long data = sparse ? Math.Min(source.NextData(offset) ?? size, size) : offset;
            long end = sparse && data < size ? Math.Min(source.NextHole(data), size) : size;
            Progress(data - offset);
            for (offset = data; offset < end;)
            {
                if (_fatal.IsCancellationRequested)
                    return false;
                // Pieces end on block boundaries, so that the next one begins with a whole block.
                int wanted = (int)Math.Min(BufferBytes - offset % FormatLimits.LogicalBlockBytes, end - offset);
                int read = source.Read(offset, buffer.AsSpan(0, wanted));
                if (read < wanted)
                    return false;
                CheckTarget(job.Path, job.Target.TryWrite(offset, buffer.AsSpan(0, read)));
                offset += read;
                written = offset;
                Progress(read);
            }
        }

        if (written < size)
            CheckTarget(job.Path, job.Target.TrySetSize(size));
        return true;
    }

    private void Remove(FileJob job)
    {
        Hammer2Error error = job.Frame.Target.TryUnlink(job.TargetName);
        if (error is not (Hammer2Error.None or Hammer2Error.NotFound))
            Fail(job.Path, "cannot_write", $"a part of it was left behind: {ErrorText.Of(error)}");
        // Taking the name away changed the directory's time, which may have been set already.
        if (job.Frame.HasAttributes && _fatalFailure is null)
            Settle(job.Frame.Path, job.Frame.Target, job.Frame.Attributes);
    }

    // Owner, mode and times of a finished copy.
    private void Settle(byte[] path, IFileNode node, in InodeAttributes attributes)
    {
        const uint SetIdBits = 0xC00;
        bool owned = target.KeepsOwners;
        Hammer2Error error = node.TrySetAttributes(new AttributeChanges
        {
            Uid = owned ? attributes.Uid : null,
            Gid = owned ? attributes.Gid : null,
            // Set-user-id of somebody else's program must not become set-user-id of who copies.
            Mode = OperatingSystem.IsWindows() && !owned ? null : owned ? attributes.Mode : attributes.Mode & ~SetIdBits,
            ModifyTimeUs = attributes.ModifyTimeUs,
            AccessTimeUs = attributes.AccessTimeUs != 0 ? attributes.AccessTimeUs : attributes.ModifyTimeUs,
            BirthTimeUs = attributes.BirthTimeUs != 0 ? attributes.BirthTimeUs : null,
            ChangeTimeUs = options.KeepChangeTimes ? attributes.ChangeTimeUs : null,
            UserFlags = attributes.UserFlags != 0 ? attributes.UserFlags : null,
        });
        if (error != Hammer2Error.None)
            FailTarget(path, error);
    }

    private void CheckTarget(byte[] path, Hammer2Error error)
    {
        if (error == Hammer2Error.None)
            return;
        StopIfFatal(error);
        throw new Hammer2Exception(error, ErrorText.Of(error));
    }

    private void FailTarget(byte[] path, Hammer2Error error)
    {
        Fail(path, error);
        StopIfFatal(error);
    }

    // Every further file would fail the same way.
    private void StopIfFatal(Hammer2Error error)
    {
        if (error is not (Hammer2Error.NoSpace or Hammer2Error.ReadOnly or Hammer2Error.Closed))
            return;
        Interlocked.CompareExchange(ref _fatalFailure, new Hammer2Exception(error, ErrorText.Of(error)), null);
        _fatal.Cancel();
    }

    private void Fail(byte[] path, Hammer2Error error) => Fail(path, ErrorText.Code(error), ErrorText.Of(error));

    private void Fail(byte[] path, Exception failure) =>
        Fail(path, failure is Hammer2Exception engine ? ErrorText.Code(engine.Error) : "cannot_copy", failure.Message);

    private void Fail(byte[] path, string code, string message) => failures.Add(Failure.At(path, code, message));
}
