// Administration of the PFSs of a writable volume: create, delete, rename, snapshot, restore. One call at a time, under the lock
// under which PFSs are opened, so what is refused for being open stays closed until the call is done. Each is one operation of the
// commit gate, whose changes of the super-root one commit makes durable before the call returns; it takes no more time for a
// large PFS than for a small one. Expected failures are exceptions of one line, since a person asked for it.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Volumes;

/// <summary>How a new PFS is made.</summary>
public sealed record PfsOptions
{
    /// <summary>Cluster that the new PFS is a slave of; null makes a master with a cluster of its own.</summary>
    public Guid? ClusterId { get; init; }

    /// <summary>Compression of its root directory; null = LZ4, or autozero for the label "boot".</summary>
    public CompressionMethod? Compression { get; init; }

    /// <summary>Check method of its root directory.</summary>
    public CheckMethod Check { get; init; } = CheckMethod.XxHash64;
}

public sealed partial class Hammer2Volume
{
    private const uint PfsRootMode = 0x1ED;
    private const byte PfsRootMethods = (byte)((int)CheckMethod.XxHash64 << 4 | (int)CompressionMethod.AutoZero);

    /// <summary>Makes an empty PFS (format page 11.4). Durable when it returns.</summary>
    /// <exception cref="Hammer2Exception"><c>Exists</c>, <c>InvalidName</c>, <c>NameTooLong</c>, <c>InvalidArgument</c>, <c>NoSpace</c>, <c>ReadOnly</c>.</exception>
    public PfsInfo CreatePfs(string label, PfsOptions? options = null)
    {
        options ??= new PfsOptions();
        byte[] name = PfsLabel.Check(label);
        if (options.Compression > CompressionMethod.Zlib || options.Check > CheckMethod.Sha192)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, "These methods cannot be set on a directory.");
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            using (Operation running = BeginAdministration(ClaimLevel.Write))
            {
                ulong key = FreeKeyFor(label, name);
                _superRoot.MakeReady(key, running.Ledger);
                InodeData data = NewPfsRoot(label, options);
                writer.Enter(new RootCreation(key, name, () => new RootImage(data, [], PfsRootMethods)));
            }

            writer.Committer.Commit();
            return Described(name);
        }
    }

    /// <summary>Deletes a PFS or snapshot that nobody has open; bulkfree gives its space back. Durable when it returns.</summary>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c>, <c>InUse</c>, <c>NotPermitted</c> (LOCAL), <c>NoSpace</c>, <c>ReadOnly</c>.</exception>
    public void DeletePfs(string label)
    {
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            PfsState state = ClosedState(label, "deleted");
            using (Operation running = BeginAdministration(ClaimLevel.Remove))
            {
                ulong key = state.Index.Root.Current.Ref.Key;
                _superRoot.MakeReady(key, running.Ledger);
                writer.Enter(new RootRemoval(key));
                Space(state);
            }

            writer.Committer.Commit();
            Drop(state);
        }

        // What it held may be free now: the next look for space is worth while.
        void Space(PfsState state) => writer.Space.Note(state.Index.Root.Current.Ref.DataCount);
    }

    /// <summary>Gives a PFS or snapshot that nobody has open another label. Durable when it returns.</summary>
    /// <exception cref="Hammer2Exception">As <see cref="DeletePfs"/>, and <c>Exists</c>, <c>InvalidName</c>, <c>NameTooLong</c>.</exception>
    public PfsInfo RenamePfs(string label, string newLabel)
    {
        byte[] name = PfsLabel.Check(newLabel);
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            PfsState state = ClosedState(label, "renamed");
            InodeSlot root = state.Index.Root;
            using (Operation running = BeginAdministration(ClaimLevel.Metadata))
            {
                ulong key = FreeKeyFor(newLabel, name), oldKey = root.Current.Ref.Key;
                _superRoot.MakeReady(key, running.Ledger);
                _superRoot.MakeReady(oldKey, running.Ledger);
                writer.Enter(new RootRemoval(oldKey), new RootCreation(key, name, () => ImageOf(root)));
            }

            writer.Committer.Commit();
            Drop(state);
            return Described(name);
        }
    }

    /// <summary>
    /// Keeps what a PFS contains now under a label of its own. The PFS may be open and busy: every operation that returned before the
    /// call is in the snapshot as a whole, none is in it by half. The root directory keeps its attributes. Durable when it returns.
    /// </summary>
    /// <param name="label">A PFS or snapshot.</param>
    /// <param name="snapshotLabel">Must not exist; see <see cref="PfsLabel.ForSnapshot"/>.</param>
    /// <param name="sync">False takes what the last commit has instead of what is there now.</param>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c>, <c>Exists</c>, <c>InvalidName</c>, <c>NameTooLong</c>, <c>NoSpace</c>, <c>ReadOnly</c>.</exception>
    public PfsInfo Snapshot(string label, string snapshotLabel, bool sync = true)
    {
        ArgumentNullException.ThrowIfNull(label);
        byte[] name = PfsLabel.Check(snapshotLabel);
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            PfsState source = FindState(Encoding.UTF8.GetBytes(label)) ?? throw NoSuchPfs(label);
            using (Operation running = BeginAdministration(ClaimLevel.Metadata))
            {
                ulong key = FreeKeyFor(snapshotLabel, name);
                _superRoot.MakeReady(key, running.Ledger);
                Func<RootImage> current = sync ? () => ImageOf(source.Index.Root) : CommittedImage(source.Index.Root);
                source.Index.MarkShared(running.Ledger);
                writer.Enter(new RootCreation(key, name, () => AsSnapshot(current(), source)));
            }

            writer.Committer.Commit();
            return Described(name);
        }
    }

    /// <summary>
    /// Gives a PFS that nobody has open the content of a snapshot, which stays as it is. The PFS keeps its identity; what it
    /// contained is kept as a snapshot of its own. Durable when it returns.
    /// </summary>
    /// <param name="snapshotLabel">Any other PFS or snapshot; it may be open.</param>
    /// <param name="label">The PFS that changes.</param>
    /// <param name="keepPrevious">False drops what the PFS contained; bulkfree gives the space back.</param>
    /// <returns>The label under which the previous content was kept, or null.</returns>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c>, <c>InUse</c>, <c>InvalidArgument</c> (one and the same), <c>NotPermitted</c> (LOCAL), <c>NoSpace</c>, <c>ReadOnly</c>.</exception>
    public string? RestoreSnapshot(string snapshotLabel, string label, bool keepPrevious = true)
    {
        ArgumentNullException.ThrowIfNull(snapshotLabel);
        if (snapshotLabel == label)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"'{label}' cannot be restored from itself.");
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            PfsState state = ClosedState(label, "restored");
            PfsState source = FindState(Encoding.UTF8.GetBytes(snapshotLabel)) ?? throw NoSuchPfs(snapshotLabel);
            string? kept = keepPrevious ? UnusedSnapshotLabel(label) : null;
            InodeSlot root = state.Index.Root;
            using (Operation running = BeginAdministration(ClaimLevel.Metadata))
            {
                ulong key = root.Current.Ref.Key;
                _superRoot.MakeReady(key, running.Ledger);
                source.Index.MarkShared(running.Ledger);
                var restored = new RootCreation(key, root.Current.Content.Name, () => AsRestored(ImageOf(source.Index.Root), root.Current.Content.Data));
                if (kept is not null)
                {
                    byte[] keptName = Encoding.UTF8.GetBytes(kept);
                    ulong keptKey = _superRoot.FreeKey(keptName);
                    _superRoot.MakeReady(keptKey, running.Ledger);
                    writer.Enter(new RootCreation(keptKey, keptName, () => AsSnapshot(ImageOf(root), state)));
                }

                writer.Enter(restored);
            }

            writer.Committer.Commit();
            Drop(state);
            return kept;
        }
    }

    private static InodeData NewPfsRoot(string label, PfsOptions options)
    {
        long now = MediaTime.Now();
        bool isBoot = label.Equals("BOOT", StringComparison.OrdinalIgnoreCase);
        return new InodeData
        {
            Version = 1,
            Type = ObjectType.Directory,
            OpFlags = InodeData.OpPfsRoot,
            Mode = PfsRootMode,
            InodeNumber = FormatLimits.RootInodeNumber,
            LinkCount = 1,
            ParentInode = FormatLimits.RootInodeNumber,
            ChangeTime = now,
            ModifyTime = now,
            BirthTime = now,
            CompressionSetting = (byte)(options.Compression ?? (isBoot ? CompressionMethod.AutoZero : CompressionMethod.Lz4)),
            CheckSetting = (byte)options.Check,
            PfsType = (byte)(options.ClusterId is null ? PfsType.Master : PfsType.Slave),
            PfsClusterId = options.ClusterId ?? Guid.NewGuid(),
            PfsFileSystemId = Guid.NewGuid(),
        };
    }

    // During the freeze, when nothing of the tree is left in memory only.
    private static RootImage ImageOf(InodeSlot root)
    {
        InodeChain chain = root.Current;
        Invariant.Check(chain.Content.Tree.NodesInMemory == 0);
        return new RootImage(chain.Content.Data, chain.Content.Tree.Root.Refs.ToArray(), chain.Ref.Methods);
    }

    // Inside an operation: no commit can come between, so what is read stays what the last commit has.
    private Func<RootImage> CommittedImage(InodeSlot root)
    {
        BlockRef bref = root.Current.Ref;
        using Buffers.BlockLease lease = Reader.GetMetadata(bref);
        InodeContent content = InodeContent.Decode(bref, lease.Data);
        content.Tree.GuardLoaded(TransactionIds.Accept, bref.MirrorTid);
        var image = new RootImage(content.Data, content.Tree.Root.Refs.ToArray(), bref.Methods);
        return () => image;
    }

    private static RootImage AsSnapshot(RootImage image, PfsState source)
    {
        InodeData data = image.Data;
        data.PfsType = (byte)PfsType.Master;
        data.PfsSubtype = (byte)PfsSubtype.Snapshot;
        data.PfsMasters = 0;
        data.PfsNextInode++;
        data.PfsClusterId = Guid.NewGuid();
        data.PfsFileSystemId = Guid.NewGuid();
        data.ParentInode = FormatLimits.RootInodeNumber;
        data.ChangeTime = MediaTime.Now();
        data.PfsLastSnapshotTid = source.Index.Root.Current.Content.Data.PfsLastSnapshotTid;
        return image with { Data = data };
    }

    // Files, attributes and settings are the snapshot's; who it is stays. Numbers that either has given are not given again.
    private static RootImage AsRestored(RootImage image, in InodeData identity)
    {
        InodeData data = image.Data;
        data.PfsType = identity.PfsType;
        data.PfsSubtype = identity.PfsSubtype;
        data.PfsMasters = identity.PfsMasters;
        data.PfsClusterId = identity.PfsClusterId;
        data.PfsFileSystemId = identity.PfsFileSystemId;
        data.DataQuota = identity.DataQuota;
        data.InodeQuota = identity.InodeQuota;
        data.ParentInode = identity.ParentInode;
        data.PfsNextInode = Math.Max(data.PfsNextInode, identity.PfsNextInode) + 1;
        data.ChangeTime = MediaTime.Now();
        return image with { Data = data };
    }

    private VolumeWriter WriterForAdministration()
    {
        ThrowIfClosed();
        return Writer ?? throw new Hammer2Exception(Hammer2Error.ReadOnly, "The volume is open for reading only; open it for writing to change its PFSs.");
    }

    private Operation BeginAdministration(ClaimLevel level)
    {
        Hammer2Error error = Writer!.Committer.TryBegin(OperationClaims.PfsRoots(), level, out Operation operation);
        if (error == Hammer2Error.None)
            return operation;
        Writer.Committer.ThrowIfFailed();
        throw new Hammer2Exception(error, "The volume has no free space left for this; delete files or snapshots and free their space first.");
    }

    private ulong FreeKeyFor(string label, byte[] name) => _superRoot.Find(name) is null
        ? _superRoot.FreeKey(name)
        : throw new Hammer2Exception(Hammer2Error.Exists, $"There is a PFS '{label}' here already; choose another label.");

    private string UnusedSnapshotLabel(string label)
    {
        string wanted = PfsLabel.ForSnapshot(label, DateTime.UtcNow);
        for (DateTime time = DateTime.UtcNow; _superRoot.Find(Encoding.UTF8.GetBytes(wanted)) is not null; wanted = PfsLabel.ForSnapshot(label, time))
            time = time.AddSeconds(1);
        return wanted;
    }

    // The state of a PFS that nobody has open, with nothing of it waiting in memory.
    private PfsState ClosedState(string label, string verb)
    {
        ArgumentNullException.ThrowIfNull(label);
        if (label == PfsLabel.Local)
            throw new Hammer2Exception(Hammer2Error.NotPermitted, $"'{label}' cannot be {verb}: every volume has it, and systems mount it to reach the others.");
        PfsState state = FindState(Encoding.UTF8.GetBytes(label)) ?? throw NoSuchPfs(label);
        if (state.Mounts == 0 && (state.Index.HasChanges || state.Index.OpenCount > 0))
            Writer!.Committer.Commit();
        if (state.Mounts == 0 && state.Index.OpenCount == 0)
            return state;
        throw new Hammer2Exception(Hammer2Error.InUse, $"The PFS '{label}' is open here and cannot be {verb}; unmount it first.");
    }

    private void Drop(PfsState state)
    {
        state.IsGone = true;
        _states.Remove(state);
        Writer!.Remove(state);
    }

    /// <summary>The roots of PFSs as one commit has them, until disposed.</summary>
    internal HeldRoots HoldRoots(params IReadOnlyList<string> labels)
    {
        ThrowIfClosed();
        return new HeldRoots(Writer, _superRoot, labels, NoSuchPfs);
    }

    private PfsInfo Described(byte[] label) => SuperRoot.Describe(_superRoot.Find(label)!);
}
