// What this is: directory handles and listings of a PFS served through FUSE.
// Invariants: every readable name is delivered before damage is reported; an entry whose inode cannot be read is listed by
// name and type without attributes, so that the reader who asks for them gets the error of that one entry.
// An entry read ahead is delivered only if nothing changed since: the kernel would believe old attributes, and names that are
// gone. Batches are reused from handle to handle: listing allocates nothing once warm.
// Layers: Engine, Protocol.

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Serving;

internal sealed partial class Hammer2FileSystem
{
    private const int BatchesKept = 16;

    private readonly HandleTable<DirectoryHandle> _directories = new();
    private readonly ConcurrentBag<DirectoryBatch> _plainBatches = [];
    private readonly ConcurrentBag<DirectoryBatch> _plusBatches = [];

    /// <inheritdoc/>
    public int OpenDirectory(ulong node, ref FuseOpenOut opened)
    {
        var errno = OpenVnode(node, out var vnode);
        if (errno != 0)
            return errno;
        if (vnode!.Type != ObjectType.Directory)
        {
            vnode.Dispose();
            return Errno.ENOTDIR;
        }

        opened.Handle = _directories.Add(new DirectoryHandle(vnode));
        opened.Flags = FuseOpenFlags.KeepCache | FuseOpenFlags.CacheDirectory;
        return 0;
    }

    /// <inheritdoc/>
    public void ReleaseDirectory(ulong handle)
    {
        if (_directories.Remove(handle) is not { } directory)
            return;
        directory.Vnode.Dispose();
        LetGoBatch(directory);
    }

    /// <inheritdoc/>
    public int ReadDirectory(ulong handle, ulong position, bool plus, Span<byte> buffer, out int length)
    {
        length = 0;
        if (_directories.Find(handle) is not { } directory)
            return Errno.EBADF;
        lock (directory.Gate)
        {
            try
            {
                return List(directory, position, plus, buffer, out length);
            }
            catch (Hammer2Exception exception)
            {
                directory.HasBatch = false;
                directory.Damaged = true;
                // What was already put into the buffer is delivered; the reader meets the damage with its next request.
                var errno = Failed(exception, "listing directory inode", directory.Vnode.InodeNumber);
                return length > 0 ? 0 : errno;
            }
        }
    }

    private int List(DirectoryHandle directory, ulong position, bool plus, Span<byte> buffer, out int length)
    {
        length = 0;
        var batch = directory.Batch;
        if (batch is null || !directory.HasBatch || directory.Position != position || batch.WithAttributes != plus
            || directory.Changes != Interlocked.Read(ref _changes))
            batch = Fetch(directory, position, plus);
        if (position == 0)
            directory.Damaged = batch.Damage.Count > 0;

        while (true)
        {
            for (; directory.Next < batch.Count; directory.Next++)
            {
                ref readonly var record = ref batch[directory.Next];
                var written = plus
                    ? PutPlus(record, batch.NameOf(directory.Next), buffer[length..])
                    : Put(record, batch.NameOf(directory.Next), buffer[length..]);
                if (written == 0)
                    return 0;
                length += written;
                directory.Position = record.Position;
            }

            if (batch.EndOfDirectory)
            {
                if (length > 0)
                    return 0;
                LetGoBatch(directory);
                return directory.Damaged ? Errno.EIO : 0;
            }

            batch = Fetch(directory, batch.NextPosition, plus);
        }
    }

    private DirectoryBatch Fetch(DirectoryHandle directory, ulong position, bool plus)
    {
        directory.HasBatch = false;
        directory.Changes = Interlocked.Read(ref _changes);
        if (directory.Batch?.WithAttributes != plus)
            LetGoBatch(directory);
        var batch = directory.Batch ??= TakeBatch(plus);
        directory.Vnode.ReadDirectory(position, batch);
        directory.Next = 0;
        directory.Position = position;
        directory.HasBatch = true;
        var damage = batch.Damage;
        for (var i = 0; i < damage.Count; i++)
        {
            directory.Damaged = true;
            _damage.Report($"listing directory inode {directory.Vnode.InodeNumber}", damage[i]);
        }

        return batch;
    }

    private DirectoryBatch TakeBatch(bool plus) =>
        (plus ? _plusBatches : _plainBatches).TryTake(out var batch)
            ? batch
            : new DirectoryBatch { WithDots = true, WithAttributes = plus };

    private void LetGoBatch(DirectoryHandle directory)
    {
        if (directory.Batch is not { } batch)
            return;
        directory.Batch = null;
        directory.HasBatch = false;
        var pool = batch.WithAttributes ? _plusBatches : _plainBatches;
        if (pool.Count < BatchesKept)
            pool.Add(batch);
    }

    private static int Put(in DirectoryRecord record, ReadOnlySpan<byte> name, Span<byte> room)
    {
        var size = Padded(Unsafe.SizeOf<FuseDirent>() + name.Length);
        if (size > room.Length)
            return 0;
        PutName(record, name, room[..size]);
        return size;
    }

    private int PutPlus(in DirectoryRecord record, ReadOnlySpan<byte> name, Span<byte> room)
    {
        var size = Padded(Unsafe.SizeOf<FuseDirentPlus>() + name.Length);
        if (size > room.Length)
            return 0;
        ref var entry = ref MemoryMarshal.AsRef<FuseEntryOut>(room);
        entry = default;
        // Node id 0 gives the name without attributes: for damaged entries, and for the dots, which the kernel knows.
        if (record.Error == Hammer2Error.None && !IsDots(name))
            FillEntry(record.Attributes, ref entry);
        PutName(record, name, room[Unsafe.SizeOf<FuseEntryOut>()..size]);
        return size;
    }

    private static void PutName(in DirectoryRecord record, ReadOnlySpan<byte> name, Span<byte> room)
    {
        var dirent = new FuseDirent
        {
            Inode = record.InodeNumber,
            Offset = record.Position,
            NameLength = (uint)name.Length,
            Type = AttributeConversion.DirentType(record.Type),
        };
        MemoryMarshal.Write(room, dirent);
        name.CopyTo(room[Unsafe.SizeOf<FuseDirent>()..]);
        room[(Unsafe.SizeOf<FuseDirent>() + name.Length)..].Clear();
    }

    private static int Padded(int length) => (length + FuseProtocol.DirentAlignment - 1) & ~(FuseProtocol.DirentAlignment - 1);

    private static bool IsDots(ReadOnlySpan<byte> name) => name is [(byte)'.'] or [(byte)'.', (byte)'.'];
}
