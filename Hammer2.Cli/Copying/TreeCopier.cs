// Copies a tree off an image. One thread walks the tree and makes directories, links and special files in
// order; workers on all cores copy files. Invariants: a failing entry is recorded and the copy goes on; a full
// destination ends it; nothing is written outside the destination: names come from HostNames, and what
// stands there already is looked at without following links before anything is put below it.

using System.Threading.Channels;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>Copies trees.</summary>
internal sealed class TreeCopier(
    PfsMount pfs, ICopyDestination destination, CopyOptions options, FailureList failures, CancellationToken stop)
{
    private const int QueuedFilesMax = 1024;
    private const int DiskFull = 28, QuotaExceeded = 122, ReadOnlyFileSystem = 30;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    private readonly Dictionary<ulong, byte[]> _firstNames = [];
    private readonly List<(byte[] First, byte[] Path, TreeEntry Entry)> _links = [];
    private readonly List<(byte[] Path, TreeEntry Entry)> _directories = [];

    // By reference: a first name is one array, whoever holds it.
    private readonly HashSet<byte[]> _failedFirsts = [];
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _fatal = CancellationTokenSource.CreateLinkedTokenSource(stop);
    private IOException? _fatalFailure;

    public CopyCounts Counts { get; } = new();

    /// <summary>Told of bytes that are done; called from several threads.</summary>
    public Action<long> Progress { get; init; } = static _ => { };

    /// <summary>Copies the entry to a path of the destination; empty for its root.</summary>
    public void Run(TreeEntry start, byte[] path)
    {
        var queue = Channel.CreateBounded<FileJob>(new BoundedChannelOptions(QueuedFilesMax) { SingleWriter = true });
        Task[] workers = [.. Enumerable.Range(0, Environment.ProcessorCount)
            .Select(_ => Task.Run(() => Work(queue.Reader), CancellationToken.None))];
        try
        {
            Produce(start, path, queue.Writer);
        }
        catch (OperationCanceledException) when (_fatalFailure is not null)
        {
            // Reported below, once the workers have stopped.
        }
        finally
        {
            queue.Writer.Complete();
            Task.WaitAll(workers, CancellationToken.None);
        }

        if (_fatalFailure is not null)
            throw Ended(_fatalFailure);
        stop.ThrowIfCancellationRequested();
        MakeHardLinks();
        FinishDirectories();
    }

    private CliException Ended(IOException cause) =>
        new(ExitCode.Partial, $"copying to {destination.Show([])} ended: {cause.Message}", cause);

    private sealed record FileJob(byte[] Path, TreeEntry Entry);

    private void Produce(TreeEntry start, byte[] startPath, ChannelWriter<FileJob> queue)
    {
        // Paths and name tables of the directories that the walk is in, outermost first. A null path: not copied.
        var paths = new Stack<byte[]?>();
        var names = new Stack<HostNames>();
        foreach (WalkStep step in new TreeWalker(pfs, failures, _fatal.Token).Walk(start))
        {
            if (step.IsLeaving)
            {
                paths.Pop();
                names.Pop();
                continue;
            }

            byte[]? path = step.Depth == 0 ? startPath : PathOf(step.Entry, paths.Peek(), names.Peek());
            bool copied = path is not null && step.Entry.IsReadable && TryCopy(step, path, queue);
            if (step.IsEntered)
            {
                paths.Push(copied ? path : null);
                names.Push(destination.NewNames());
            }
        }
    }

    private byte[]? PathOf(TreeEntry entry, byte[]? parent, HostNames names)
    {
        if (!names.TryTake(entry.Name, entry.InodeNumber, out byte[] name, out string reason))
        {
            Fail(entry, "refused", reason);
            return null;
        }

        if (parent is null)
            return null;
        return parent.Length == 0 ? name : [.. parent, (byte)'/', .. name];
    }

    private bool TryCopy(WalkStep step, byte[] path, ChannelWriter<FileJob> queue)
    {
        TreeEntry entry = step.Entry;
        try
        {
            if (entry.IsDirectory ? CopyDirectory(entry, path, isStart: step.Depth == 0) : CopyOther(entry, path, queue))
                return true;
        }
        catch (Hammer2Exception failure)
        {
            Fail(entry, ErrorText.Code(failure.Error), failure.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            FailWriting(entry, failure);
        }

        MarkFailed(path);
        return false;
    }

    private bool CopyOther(TreeEntry entry, byte[] path, ChannelWriter<FileJob> queue)
    {
        if (entry.Attributes.LinkCount > 1)
        {
            if (_firstNames.TryGetValue(entry.InodeNumber, out byte[]? first))
            {
                _links.Add((first, path, entry));
                return true;
            }

            _firstNames.Add(entry.InodeNumber, path);
        }

        if (entry.Type == ObjectType.File)
        {
            // Waits while the workers are behind; the walk must not run ahead without bound.
            var job = new FileJob(path, entry);
            while (!queue.TryWrite(job))
                queue.WaitToWriteAsync(_fatal.Token).AsTask().GetAwaiter().GetResult();
            return true;
        }

        return entry.Type == ObjectType.Symlink ? CopySymlink(entry, path) : CopySpecial(entry, path);
    }

    private bool CopyDirectory(TreeEntry entry, byte[] path, bool isStart)
    {
        ExistingEntry existing = destination.Look(path);
        if (existing.Kind == ExistingKind.None)
        {
            destination.MakeDirectory(path);
        }
        else if (existing.Kind != ExistingKind.Directory || !(options.MayReplace || isStart))
        {
            Fail(
                entry,
                "exists",
                $"{destination.Show(path)} exists{(existing.Kind == ExistingKind.Directory ? "" : " and is not a directory")}");
            return false;
        }

        _directories.Add((path, entry));
        Counts.Directories++;
        return true;
    }

    private bool CopySymlink(TreeEntry entry, byte[] path)
    {
        var (target, error) = LinkTarget.TryRead(pfs, entry.InodeNumber);
        if (target is null)
        {
            Fail(entry, error!.Value.Code, error.Value.Message);
            return false;
        }

        ExistingEntry existing = destination.Look(path);
        if (options.Resume && existing.Kind == ExistingKind.Symlink
            && destination.ReadSymlink(path).AsSpan().SequenceEqual(target))
        {
            Counts.AddSkipped();
            return true;
        }

        if (!MakeRoom(entry, path, existing))
            return false;
        destination.MakeSymlink(path, target, TargetIsDirectory(entry, target));
        destination.SetAttributes(path, entry.Attributes);
        Counts.Symlinks++;
        return true;
    }

    // Windows has two kinds of links and must be told which; elsewhere nobody asks.
    private bool TargetIsDirectory(TreeEntry link, byte[] target)
    {
        if (!OperatingSystem.IsWindows())
            return false;
        try
        {
            byte[] from = target is [(byte)'/', ..] ? target : [.. link.Path.AsSpan(0, link.NameStart), .. target];
            using ResolvedPath resolved = new PathResolver(pfs).Resolve(MediaText.Show(from), followLast: true);
            return resolved.Node.Type == ObjectType.Directory;
        }
        catch (CliException)
        {
            // A dangling link is kept as a link to a file.
            return false;
        }
    }

    private bool CopySpecial(TreeEntry entry, byte[] path)
    {
        if (!MakeRoom(entry, path, destination.Look(path)))
            return false;
        if (destination.TryMakeSpecial(path, entry.Attributes) is { } reason)
        {
            Fail(entry, "not_supported", reason);
            return false;
        }

        destination.SetAttributes(path, entry.Attributes);
        Counts.Specials++;
        return true;
    }

    // True when nothing stands there any more.
    private bool MakeRoom(TreeEntry entry, byte[] path, ExistingEntry existing)
    {
        if (existing.Kind == ExistingKind.None)
            return true;
        if (existing.Kind == ExistingKind.Directory || !options.MayReplace)
        {
            Fail(
                entry,
                "exists",
                $"{destination.Show(path)} exists{(options.MayReplace ? " and is a directory" : "; --force replaces it")}");
            return false;
        }

        destination.Delete(path);
        return true;
    }

    private void Work(ChannelReader<FileJob> queue)
    {
        while (queue.WaitToReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult())
        {
            while (queue.TryRead(out FileJob? job))
            {
                // After a fatal failure the rest of the queue is only emptied.
                if (!_fatal.IsCancellationRequested && !TryCopyFile(job))
                    MarkFailed(job.Path);
            }
        }
    }

    private void MarkFailed(byte[] path)
    {
        lock (_gate)
            _failedFirsts.Add(path);
    }

    private bool TryCopyFile(FileJob job)
    {
        try
        {
            return CopyFile(job);
        }
        catch (OperationCanceledException)
        {
            // The walker's thread reports the interruption once for all.
        }
        catch (Hammer2Exception failure)
        {
            Fail(job.Entry, ErrorText.Code(failure.Error), failure.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            FailWriting(job.Entry, failure);
        }

        return false;
    }

    private bool CopyFile(FileJob job)
    {
        ExistingEntry existing = destination.Look(job.Path);
        InodeAttributes attributes = job.Entry.Attributes;
        if (options.Resume && existing.Kind == ExistingKind.File && existing.Size == attributes.Size
            && existing.MtimeUs == attributes.ModifyTimeUs)
        {
            Counts.AddSkipped();
            Progress(attributes.Size);
            return true;
        }

        if (!MakeRoom(job.Entry, job.Path, existing))
            return false;
        Hammer2Error error = pfs.TryOpen(job.Entry.InodeNumber, out Vnode? source);
        if (error != Hammer2Error.None || source is null)
            throw new Hammer2Exception(error, ErrorText.OfEntry(error));
        bool complete = false;
        try
        {
            using (source)
            using (SafeFileHandle target = destination.CreateFile(job.Path))
                complete = CopyBytes(job, source, target);
            if (complete)
                destination.SetAttributes(job.Path, attributes);
        }
        finally
        {
            if (!complete)
                DropOrKeep(job);
        }

        if (complete)
            Counts.AddFile(attributes.Size);
        return complete;
    }

    private bool CopyBytes(FileJob job, Vnode source, SafeFileHandle target)
    {
        var copy = new FileCopy(source, target, destination, Progress, _fatal.Token);
        copy.Run(job.Entry.Attributes.Size, options.KeepPartial);
        if (copy.FirstDamage is not { } damage)
            return true;
        string ranges = string.Join(", ", copy.Unreadable.Take(8).Select(range => $"{range.Offset}+{range.Length}"));
        string more = copy.Unreadable.Count > 8 ? $" and {copy.Unreadable.Count - 8} more" : "";
        Fail(
            job.Entry,
            ErrorText.Code(damage.Error),
            $"bytes {ranges}{more} cannot be read, rest kept as {ShowPartial(job.Path)}: {damage.Message}");
        return false;
    }

    private string ShowPartial(byte[] path) => destination.Show(PartialPath(path));

    // The suffix must not make the name longer than a name may be.
    private static byte[] PartialPath(byte[] path)
    {
        const int NameBytesMax = 255;
        ReadOnlySpan<byte> suffix = ".partial"u8;
        int start = Array.LastIndexOf(path, (byte)'/') + 1;
        int end = Math.Min(path.Length, start + NameBytesMax - suffix.Length);
        // Not in the middle of a character.
        while (end < path.Length && end > start && (path[end] & 0xC0) == 0x80)
            end--;
        return [.. path.AsSpan(0, end), .. suffix];
    }

    private void DropOrKeep(FileJob job)
    {
        try
        {
            if (destination.Look(job.Path).Kind != ExistingKind.File)
                return;
            if (!options.KeepPartial || _fatal.IsCancellationRequested)
            {
                destination.Delete(job.Path);
                return;
            }

            byte[] partial = PartialPath(job.Path);
            if (destination.Look(partial).Kind is ExistingKind.File or ExistingKind.Symlink)
                destination.Delete(partial);
            destination.Rename(job.Path, partial);
            Counts.AddPartial();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            FailWriting(job.Entry, failure);
        }
    }

    private void MakeHardLinks()
    {
        foreach (var (first, path, entry) in _links)
        {
            stop.ThrowIfCancellationRequested();
            if (_failedFirsts.Contains(first))
            {
                Fail(entry, "not_copied", $"its other name {destination.Show(first)} was not copied");
                continue;
            }

            try
            {
                ExistingEntry existing = destination.Look(path);
                if (!MakeRoom(entry, path, existing))
                    continue;
                destination.MakeHardLink(first, path);
                Counts.HardLinks++;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                FailWriting(entry, failure);
            }
        }
    }

    // Last and from the inside out: whatever is put into a directory changes its time, and a mode may forbid it.
    private void FinishDirectories()
    {
        for (int i = _directories.Count - 1; i >= 0; i--)
        {
            try
            {
                destination.SetAttributes(_directories[i].Path, _directories[i].Entry.Attributes);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                FailWriting(_directories[i].Entry, failure);
            }
        }
    }

    private void FailWriting(TreeEntry entry, Exception failure)
    {
        Fail(entry, "cannot_write", failure.Message);
        if (failure is not IOException io
            || io.HResult is not (DiskFull or QuotaExceeded or ReadOnlyFileSystem or WindowsDiskFull))
            return;
        // Every further file would fail the same way.
        Interlocked.CompareExchange(ref _fatalFailure, io, null);
        _fatal.Cancel();
    }

    private void Fail(TreeEntry entry, string code, string message) => failures.Add(Failure.At(entry.Path, code, message));
}
