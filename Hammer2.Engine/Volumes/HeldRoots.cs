// PFS roots as one commit has them, for walks that take longer than until the next one: what they refer to is kept from bulkfree
// until this is disposed. On a volume that is open for reading nothing changes, and nothing has to be kept.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;

namespace Hammer2.Engine.Volumes;

/// <summary>Committed PFS roots that stay readable.</summary>
internal sealed class HeldRoots : IDisposable
{
    private readonly VolumeWriter? _writer;
    private readonly List<BlockRef[]> _held = [];

    /// <summary>Commits what waits, then takes the roots of all these labels from that commit or a later one.</summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>NoSuchPfs</c>, or a root cannot be read.</exception>
    internal HeldRoots(VolumeWriter? writer, SuperRoot superRoot, IReadOnlyList<string> labels, Func<string, Exception> missing)
    {
        _writer = writer;
        if (writer is null || writer.Committer.Failure is not null)
        {
            Find();
            return;
        }

        writer.Committer.Commit();
        writer.Committer.RunExclusive(_ =>
        {
            Find();
            foreach (InodeChain root in Roots)
            {
                BlockRef[] blockset = root.Content.Tree.Root.Refs.ToArray();
                _held.Add(blockset);
                writer.Hold(blockset);
            }
        });

        void Find()
        {
            SuperRoot = superRoot.Ref;
            foreach (string label in labels)
                Roots.Add(superRoot.Find(Encoding.UTF8.GetBytes(label)) ?? throw missing(label));
        }
    }

    /// <summary>The reference to the super-root inode of that commit.</summary>
    internal BlockRef SuperRoot { get; private set; }

    /// <summary>In the order of the labels; their contents are this object's own.</summary>
    internal List<InodeChain> Roots { get; } = [];

    public void Dispose()
    {
        foreach (BlockRef[] blockset in _held)
            _writer!.LetGo(blockset);
        _held.Clear();
    }
}
