// The changing half of a vnode: bytes, size, attributes. Expected outcomes are return values; what the device or
// the medium does wrong is an exception. Every call is one operation of the commit gate.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Pfs;

public sealed partial class Vnode
{
    /// <summary>Writes all of the data, or nothing.</summary>
    /// <returns>NoSpace, FileTooLarge, ReadOnly, IsADirectory, InvalidArgument (not a file), NotPermitted (flags).</returns>
    public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        Hammer2Error error = CheckFile();
        if (error != Hammer2Error.None)
            return error;
        if (offset > long.MaxValue - data.Length)
            return Hammer2Error.FileTooLarge;
        for (long size = offset + data.Length; ;)
        {
            error = TryBegin(OperationClaims.Data(offset, data.Length, size), ClaimLevel.Write, out Operation operation);
            if (error != Hammer2Error.None)
                return error;
            using Operation running = operation;
            using ChangedInode held = new(_inode, operation);
            ref InodeData inode = ref held.Chain.Content.Data;
            if (BsdFlags.Forbid(inode.UserFlags, BsdFlags.Immutable) || BsdFlags.Forbid(inode.UserFlags, BsdFlags.Append) && (ulong)offset < inode.Size)
                return Hammer2Error.NotPermitted;
            if (OperationClaims.IsEnough(size, inode.Size))
                return data.IsEmpty ? Hammer2Error.None : Write(held.Chain.Content, offset, data, operation);
            size = (long)inode.Size;
        }
    }

    /// <summary>
    /// Writes as much of the data as lies inside the file, whose size it never changes: what a pager does whose pages end
    /// behind the end of the file.
    /// </summary>
    /// <param name="offset">First byte.</param>
    /// <param name="data">Cut off at the end of the file.</param>
    /// <param name="written">Bytes that lay inside, all of them written; 0 when none did.</param>
    public Hammer2Error TryOverwrite(long offset, ReadOnlySpan<byte> data, out int written)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        written = 0;
        Hammer2Error error = CheckFile();
        if (error != Hammer2Error.None)
            return error;
        error = TryBegin(OperationClaims.Data(offset, data.Length, long.MaxValue), ClaimLevel.Write, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using ChangedInode held = new(_inode, operation);
        ref InodeData inode = ref held.Chain.Content.Data;
        if (BsdFlags.Forbid(inode.UserFlags, BsdFlags.Fixed))
            return Hammer2Error.NotPermitted;
        if ((ulong)offset >= inode.Size)
            return Hammer2Error.None;
        data = data[..(int)Math.Min((ulong)data.Length, inode.Size - (ulong)offset)];
        if (!data.IsEmpty)
            error = Write(held.Chain.Content, offset, data, operation);
        if (error == Hammer2Error.None)
            written = data.Length;
        return error;
    }

    /// <summary>Writes the data at the end of the file, wherever that is by then.</summary>
    /// <param name="data">All of it is written, or nothing.</param>
    /// <param name="offset">Where it went.</param>
    public Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset)
    {
        offset = 0;
        Hammer2Error error = CheckFile();
        if (error != Hammer2Error.None)
            return error;
        // The end may move before the lock is taken; the claim is for a full-sized block wherever it will be.
        error = TryBegin(OperationClaims.Data(FormatLimits.LogicalBlockBytes - 1, data.Length, long.MaxValue), ClaimLevel.Write, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using ChangedInode held = new(_inode, operation);
        ref InodeData inode = ref held.Chain.Content.Data;
        if (BsdFlags.Forbid(inode.UserFlags, BsdFlags.Immutable))
            return Hammer2Error.NotPermitted;
        offset = (long)inode.Size;
        if (offset > long.MaxValue - data.Length)
            return Hammer2Error.FileTooLarge;
        return data.IsEmpty ? Hammer2Error.None : Write(held.Chain.Content, offset, data, operation);
    }

    /// <summary>Cuts or extends the file; what is added reads as zeros.</summary>
    public Hammer2Error TrySetSize(long size) => TrySetAttributes(new AttributeChanges { Size = size });

    /// <summary>Makes a range read as zeros and gives up whole blocks in it; the size stays.</summary>
    public Hammer2Error TryPunchHole(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Hammer2Error error = CheckFile();
        if (error != Hammer2Error.None)
            return error;
        length = Math.Min(length, long.MaxValue - offset);
        // Only the two blocks at the ends can be written; what lies between is dropped.
        error = TryBegin(OperationClaims.Data(offset, 2 * FormatLimits.LogicalBlockBytes, long.MaxValue), ClaimLevel.Metadata, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using ChangedInode held = new(_inode, operation);
        ref InodeData inode = ref held.Chain.Content.Data;
        if (BsdFlags.Forbid(inode.UserFlags, BsdFlags.Fixed))
            return Hammer2Error.NotPermitted;
        MarkDirty(operation);
        Pfs.State.FileWriter!.Punch(_inode.Slot, offset, length, operation.Ledger);
        inode.ModifyTime = inode.ChangeTime = MediaTime.Now();
        Pfs.Announce(InodeNumber);
        return Hammer2Error.None;
    }

    /// <summary>Makes sure that there is room for a range. HAMMER2 has no unwritten extents: the room is looked for, not taken.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, more than 0.</param>
    /// <param name="keepSize">False extends the file to the end of the range.</param>
    public Hammer2Error TryAllocate(long offset, long length, bool keepSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Hammer2Error error = CheckFile();
        if (error != Hammer2Error.None)
            return error;
        if (offset > long.MaxValue - length)
            return Hammer2Error.FileTooLarge;
        if (length > Pfs.Volume.TotalBytes)
            return Hammer2Error.NoSpace;
        error = TryBegin(OperationClaims.Data(offset, length, long.MaxValue), ClaimLevel.Write, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using ChangedInode held = new(_inode, operation);
        ref InodeData inode = ref held.Chain.Content.Data;
        if (BsdFlags.Forbid(inode.UserFlags, BsdFlags.Fixed))
            return Hammer2Error.NotPermitted;
        if (keepSize || (ulong)(offset + length) <= inode.Size)
            return Hammer2Error.None;
        MarkDirty(operation);
        Pfs.State.FileWriter!.SetSize(_inode.Slot, offset + length, operation.Ledger);
        inode.ModifyTime = inode.ChangeTime = MediaTime.Now();
        Pfs.Announce(InodeNumber);
        return Hammer2Error.None;
    }

    /// <summary>Sets attributes, all of them or none.</summary>
    /// <returns>InvalidArgument, IsADirectory (size), NoSpace, NotPermitted (flags), ReadOnly.</returns>
    public Hammer2Error TrySetAttributes(in AttributeChanges changes)
    {
        ThrowIfClosed();
        Hammer2Error error = Check(changes);
        if (error != Hammer2Error.None)
            return error;
        SpaceClaim worst = changes.Size is null
            ? OperationClaims.Attributes()
            : OperationClaims.Data(0, FormatLimits.LogicalBlockBytes, long.MaxValue);
        // On a full volume files must still be cut and marked.
        error = TryBegin(worst, changes.Size is null ? ClaimLevel.Metadata : ClaimLevel.Remove, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using ChangedInode held = new(_inode, operation);
        ref InodeData inode = ref held.Chain.Content.Data;
        uint flags = changes.UserFlags ?? inode.UserFlags;
        bool onlyFlags = changes with { UserFlags = null, ChangeTimeUs = null } == default;
        if (!onlyFlags && (BsdFlags.Forbid(flags, BsdFlags.Immutable) || changes.Size is not null && BsdFlags.Forbid(flags, BsdFlags.Append)))
            return Hammer2Error.NotPermitted;
        MarkDirty(operation);
        if (changes.Size is long size)
            Pfs.State.FileWriter!.SetSize(_inode.Slot, size, operation.Ledger);
        Apply(changes, ref inode);
        Pfs.Announce(InodeNumber);
        return Hammer2Error.None;
    }

    /// <summary>Returns when everything that was written to this object is durable.</summary>
    /// <exception cref="Hammer2Exception">It is not; the volume takes no more changes.</exception>
    public void Sync()
    {
        ThrowIfClosed();
        Pfs.Volume.Sync();
    }

    private Hammer2Error Check(in AttributeChanges changes)
    {
        if (changes.Size is long size)
        {
            if (size < 0)
                return Hammer2Error.InvalidArgument;
            Hammer2Error error = CheckFile();
            if (error != Hammer2Error.None)
                return error;
        }

        bool legal = changes.Compression is null or >= CompressionMethod.None and <= CompressionMethod.Zlib
            && changes.CompressionLevel is null or >= 0 and <= 9
            && changes.Check is null or >= CheckMethod.None and <= CheckMethod.Sha192;
        return legal ? Hammer2Error.None : Hammer2Error.InvalidArgument;
    }

    private static void Apply(in AttributeChanges changes, ref InodeData inode)
    {
        long now = MediaTime.Now();
        if (changes.Size is not null)
            inode.ModifyTime = now;
        inode.Mode = (changes.Mode ?? inode.Mode) & 0xFFF;
        inode.Uid = changes.Uid ?? inode.Uid;
        inode.Gid = changes.Gid ?? inode.Gid;
        inode.UserFlags = changes.UserFlags ?? inode.UserFlags;
        inode.AccessTime = changes.AccessTimeUs ?? inode.AccessTime;
        inode.ModifyTime = changes.ModifyTimeUs ?? inode.ModifyTime;
        inode.BirthTime = changes.BirthTimeUs ?? inode.BirthTime;
        inode.ChangeTime = changes.ChangeTimeUs ?? now;
        int method = changes.Compression is CompressionMethod compression ? (int)compression : inode.CompressionSetting & 0x0F;
        int level = changes.CompressionLevel ?? (changes.Compression is null ? inode.CompressionSetting >> 4 : 0);
        inode.CompressionSetting = (byte)(level << 4 | method);
        if (changes.Check is CheckMethod check)
            inode.CheckSetting = (byte)(inode.CheckSetting & 0xF0 | (int)check);
    }

    private Hammer2Error Write(InodeContent content, long offset, ReadOnlySpan<byte> data, in Operation operation)
    {
        MarkDirty(operation);
        Pfs.State.FileWriter!.Write(_inode.Slot, offset, data, operation.Ledger);
        Pfs.Volume.Counters.Wrote(data.Length);
        content.Data.ModifyTime = content.Data.ChangeTime = MediaTime.Now();
        Pfs.Announce(InodeNumber);
        return Hammer2Error.None;
    }

    // A file without names is not part of any commit; only its handles see what changes.
    private void MarkDirty(in Operation operation)
    {
        if (!_inode.Slot.IsRemoved)
            Pfs.Index.MarkDirty(_inode.Slot, operation.Ledger);
    }

    private Hammer2Error CheckFile()
    {
        ThrowIfClosed();
        return Type switch
        {
            ObjectType.File => Hammer2Error.None,
            ObjectType.Directory => Hammer2Error.IsADirectory,
            _ => Hammer2Error.InvalidArgument,
        };
    }

    /// <summary>
    /// The inode, locked for a change. What the operation made dirty is claimed before the lock is released: from then on a
    /// write-out may take the blocks and give their claims back.
    /// </summary>
    private readonly ref struct ChangedInode
    {
        private readonly InodeLock _lock;
        private readonly Operation _operation;

        internal ChangedInode(Inode inode, in Operation operation)
        {
            _operation = operation;
            _lock = InodeLock.Exclusive(inode);
        }

        internal InodeChain Chain => _lock.Chain;

        public void Dispose()
        {
            _operation.Settle();
            _lock.Dispose();
        }
    }

    private Hammer2Error TryBegin(in SpaceClaim worst, ClaimLevel level, out Operation operation)
    {
        operation = default;
        VolumeWriter? writer = Pfs.State.Writer;
        return writer is null ? Hammer2Error.ReadOnly : writer.Committer.TryBegin(worst, level, out operation);
    }
}
