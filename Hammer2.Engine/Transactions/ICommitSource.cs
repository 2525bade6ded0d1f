// What a commit asks of the rooms below: whoever holds changed inodes. Declared here so that Transactions knows no
// inode; implemented by the writing half of a volume.

using Hammer2.Engine.Format;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Transactions;

/// <summary>The owner of everything that a commit writes, but the freemap and the header.</summary>
internal interface ICommitSource
{
    /// <summary>True when a commit would have something to write.</summary>
    bool HasChanges { get; }

    /// <summary>Writes waiting file data out; operations go on meanwhile.</summary>
    void WriteOut();

    /// <summary>Writes everything that changed; no operation is running.</summary>
    /// <param name="flush">Where blocks go.</param>
    /// <param name="superRoot">The header's super-root blockset, changed in place.</param>
    void Freeze(in TreeFlush flush, Span<BlockRef> superRoot);
}
