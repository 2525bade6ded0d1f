// The free space of a volume: assigns blocks, keeps promises about them, and writes the freemap into its next rotation.
// Invariants: what a committed freemap calls allocated is never handed out; every accepted claim can be satisfied
// whatever the order of the allocations; leaves are read when they are first needed, and memory does not grow with the
// volume. One lock guards everything. May call Format, Buffers and Blocks.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Freemap;

/// <summary>The allocator of one volume set.</summary>
internal sealed class FreemapAllocator : IBlockAllocator
{
    private readonly BlockReader _reader;
    private readonly VolumeHeader _header;
    private readonly ILogger _logger;
    private readonly long _memoryBytesMax;

    /// <summary>Prepares the allocator; reads nothing.</summary>
    /// <param name="reader">Reads verified blocks.</param>
    /// <param name="header">The header in use.</param>
    /// <param name="logger">Told of damaged freemap blocks.</param>
    /// <param name="memoryBytesMax">Budget for unchanged freemap blocks in memory.</param>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: the header's allocation fields make no sense.</exception>
    internal FreemapAllocator(BlockReader reader, VolumeHeader header, ILogger logger, long memoryBytesMax)
    {
        _reader = reader;
        _header = header;
        _logger = logger;
        _memoryBytesMax = memoryBytesMax;
    }

    /// <summary>Free bytes as the next header's allocator_free will say (format page 9.5).</summary>
    internal long FreeBytes => (long)_header.AllocatorFree;

    /// <summary>True when a freeze would write something.</summary>
    internal bool IsDirty { get; }

    /// <summary>Promises space, or refuses.</summary>
    internal bool TryClaim(in SpaceClaim claim, ClaimLevel level) => throw NotYet();

    /// <summary>Gives a promise back: unused, or after its blocks were allocated.</summary>
    internal void Release(in SpaceClaim claim) => throw NotYet();

    /// <inheritdoc/>
    public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key) => throw NotYet();

    /// <inheritdoc/>
    public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result) => throw NotYet();

    /// <inheritdoc/>
    public void Discard(BlockRefType type, PhysicalOffset block) => throw NotYet();

    /// <inheritdoc/>
    public bool TryRetain(PhysicalOffset block) => throw NotYet();

    /// <summary>Recovery: marks what a reference points to as allocated (format page 10.6).</summary>
    internal void MarkUsed(in BlockRef bref) => throw NotYet();

    /// <summary>During the freeze of a commit only: writes changed leaves and nodes into their next rotation.</summary>
    /// <param name="mirrorTid">Media transaction of the commit.</param>
    /// <param name="modifyTid">Logical transaction.</param>
    /// <param name="write">Takes the bytes at a logical address; they are copied before it returns.</param>
    /// <param name="blockset">Receives the four references of the header's freemap blockset.</param>
    internal void Freeze(ulong mirrorTid, ulong modifyTid, Action<long, ReadOnlyMemory<byte>> write, Span<BlockRef> blockset) => throw NotYet();

    private Hammer2Exception NotYet() =>
        new(Hammer2Error.Unsupported, $"Changing the freemap is not possible yet ({_reader.Volumes.Length} bytes, budget {_memoryBytesMax}, {_logger}).");
}
