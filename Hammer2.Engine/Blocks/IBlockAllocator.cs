// Who assigns physical space to blocks. Declared here, implemented in Freemap: changing a tree needs the freemap, and
// the freemap is itself a tree of blocks. This interface is the only knot between the two rooms.
// Invariant: a block that a frozen topology refers to is never given back through this interface (R16).

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>Assigns physical blocks. Thread-safe.</summary>
internal interface IBlockAllocator
{
    /// <summary>
    /// Assigns a fresh block of 2^<paramref name="radix"/> bytes. The caller holds a space claim, so this never fails for
    /// want of space.
    /// </summary>
    /// <param name="type">INODE, INDIRECT, DATA or DIRENT: what the block will hold; blocks of a type lie together.</param>
    /// <param name="radix">10 to 16.</param>
    /// <param name="key">Key of the reference that will point to it; only a hint for the placement.</param>
    /// <exception cref="Primitives.Hammer2Exception"><c>NoSpace</c>: the caller took more than it claimed.</exception>
    PhysicalOffset Allocate(BlockRefType type, int radix, ulong key);

    /// <summary>Assigns several blocks of one type at once, so that they lie together and in this order.</summary>
    /// <param name="type">As in <see cref="Allocate"/>.</param>
    /// <param name="radixes">Sizes of the blocks.</param>
    /// <param name="result">Receives as many addresses.</param>
    /// <exception cref="Primitives.Hammer2Exception"><c>NoSpace</c>: then none of them is assigned.</exception>
    void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result);

    /// <summary>
    /// Gives back a block that no frozen topology refers to: it may be handed out again at once (R17). A block that was
    /// retained since it was assigned stays assigned.
    /// </summary>
    void Discard(BlockRefType type, PhysicalOffset block);

    /// <summary>
    /// A live-dedup hit: the block gets one more reference and its bits are forced to "allocated". False: it is not
    /// allocated (any more), so it must not be shared.
    /// </summary>
    bool TryRetain(PhysicalOffset block);
}
