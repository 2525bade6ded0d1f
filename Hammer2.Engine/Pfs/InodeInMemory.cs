// What a PFS holds in memory of one inode, for people who look at a running mount. A picture of one moment,
// taken inode by inode under its lock; nothing is kept from changing meanwhile.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Pfs;

/// <summary>One inode in memory.</summary>
/// <param name="InodeNumber">Its number.</param>
/// <param name="Type">Kind of object.</param>
/// <param name="Views">Handles and pins.</param>
/// <param name="IsDirty">The next commit writes its block.</param>
/// <param name="IsRemoved">It has no name any more.</param>
/// <param name="IsIndexed">The inode index has an entry for it.</param>
/// <param name="Generation">How often its chain was replaced since it is in memory.</param>
/// <param name="Blockref">The reference to its block, as of the last commit that wrote it.</param>
/// <param name="TreeIsDirty">Block tables or entries below it changed since.</param>
/// <param name="WaitingBlocks">Logical blocks of data that wait to be written.</param>
public sealed record InodeInMemory(
    ulong InodeNumber, ObjectType Type, int Views, bool IsDirty, bool IsRemoved, bool IsIndexed, int Generation, BlockRef Blockref, bool TreeIsDirty, int WaitingBlocks);
