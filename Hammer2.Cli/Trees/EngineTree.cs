// A PFS that this process has open, as a tree. Thin: every call is one call of the engine. Invariant: the volume stays
// the caller's; disposing the tree closes nothing but the nodes given out by their owners.
// May call the engine's PFS.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Trees;

/// <summary>A PFS opened directly.</summary>
internal sealed class EngineTree(PfsMount pfs) : IFileTree
{
    public bool KeepsOwners => true;

    // Windows has no numbers for owners: what is new belongs to whom its directory belongs to.
    public uint? DefaultOwner => OperatingSystem.IsWindows() ? null : UnixCalls.EffectiveUserId();

    public IFileNode OpenRoot() => new Node(pfs.OpenRoot());

    public NodeMark MarkOf(IFileNode node, Func<byte[]> path) => new(node.Identity.Inode, null);

    public Hammer2Error TryReopen(NodeMark mark, out IFileNode? node)
    {
        Hammer2Error error = pfs.TryOpen(mark.Inode, out Vnode? vnode);
        node = vnode is null ? null : new Node(vnode);
        return error;
    }

    public void Commit() => pfs.Volume.Sync();

    public void Dispose()
    {
        // The volume is closed by whoever opened it.
    }

    private sealed class Node(Vnode vnode) : IFileNode
    {
        public NodeIdentity Identity => new(0, vnode.InodeNumber);

        public ObjectType Type => vnode.Type;

        public InodeAttributes GetAttributes() => vnode.GetAttributes();

        public int Read(long offset, Span<byte> buffer) => vnode.Read(offset, buffer);

        public long? NextData(long offset) => vnode.NextData(offset);

        public long NextHole(long offset) => vnode.NextHole(offset);

        public byte[] ReadLink() => vnode.ReadLink();

        public IEnumerable<ListedName> ReadDirectory()
        {
            var batch = new DirectoryBatch { WithAttributes = false };
            ulong position = 0;
            do
            {
                vnode.ReadDirectory(position, batch);
                if (batch.Damage.Count > 0)
                    throw batch.Damage[0];
                for (int i = 0; i < batch.Count; i++)
                    yield return new ListedName(batch.NameOf(i).ToArray(), batch[i].Type);
                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
        }

        public Hammer2Error TryGetAttributes(ReadOnlySpan<byte> name, out InodeAttributes attributes, out NodeIdentity identity)
        {
            Hammer2Error error = vnode.Pfs.TryLookup(vnode.InodeNumber, name, out attributes);
            identity = new NodeIdentity(0, attributes.InodeNumber);
            return error;
        }

        public Hammer2Error TryLookup(ReadOnlySpan<byte> name, NodeUse use, out IFileNode? node)
        {
            Hammer2Error error = vnode.Pfs.TryLookup(vnode, name, out Vnode? found);
            node = found is null ? null : new Node(found);
            return error;
        }

        public Hammer2Error TryCreate(ReadOnlySpan<byte> name, in NewInode what, out IFileNode? node)
        {
            Hammer2Error error = vnode.Pfs.TryCreate(vnode, name, what, out Vnode? made);
            node = made is null ? null : new Node(made);
            return error;
        }

        public Hammer2Error TryLink(IFileNode existing, ReadOnlySpan<byte> name) =>
            vnode.Pfs.TryLink(((Node)existing).Vnode, vnode, name);

        public Hammer2Error TryUnlink(ReadOnlySpan<byte> name) => vnode.Pfs.TryUnlink(vnode, name);

        public Hammer2Error TryRemoveDirectory(ReadOnlySpan<byte> name) => vnode.Pfs.TryRemoveDirectory(vnode, name);

        public Hammer2Error TryRename(ReadOnlySpan<byte> name, IFileNode to, ReadOnlySpan<byte> newName, RenameMode mode) =>
            vnode.Pfs.TryRename(vnode, name, ((Node)to).Vnode, newName, mode);

        public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data) => vnode.TryWrite(offset, data);

        public Hammer2Error TryAppend(ReadOnlySpan<byte> data) => vnode.TryAppend(data, out _);

        public Hammer2Error TrySetSize(long size) => vnode.TrySetSize(size);

        public Hammer2Error TrySetAttributes(in AttributeChanges changes) => vnode.TrySetAttributes(changes);

        public void Dispose() => vnode.Dispose();

        private Vnode Vnode => vnode;
    }
}
