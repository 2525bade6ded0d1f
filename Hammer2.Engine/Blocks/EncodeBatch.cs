// Some logical blocks that are encoded and checked together, by the caller and by as many pool threads as help; with all the
// memory that takes, kept for the next time. Nobody waits for a thread that has not begun: the caller takes what is left.
// A pool thread that comes late finds no work, also when the batch is in its next use: the counter is out of range between.

using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>Encodes up to <see cref="BlocksMax"/> blocks in parallel.</summary>
internal sealed unsafe class EncodeBatch : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Blocks of a batch, at most.</summary>
    internal const int BlocksMax = 32;

    /// <summary>Blocks that go to the device with one call, at most.</summary>
    internal const int RunBlocksMax = 16;

    private const int Closed = int.MaxValue / 2;
    private const int WorthSharingBytes = 128 << 10;
    private readonly Work[] _work = new Work[BlocksMax];
    private readonly NativeBlock _stored = new(BlocksMax * BlockEncoder.StoredBytesMax);
    private readonly ManualResetEventSlim _allDone = new();
    private NativeBlock? _staging;
    private int _count;
    private int _next = Closed;
    private int _left;
    private bool _hash;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Indexes of the blocks that need space.</summary>
    internal List<int> Fresh { get; } = new(BlocksMax);

    /// <summary>Blocks that repeat an earlier one of the batch, with that one's index.</summary>
    internal List<(int Block, int Twin)> Repeats { get; } = new(BlocksMax);

    /// <summary>Takes the blocks and calls for help; returns at once.</summary>
    /// <param name="blocks">Their bytes stay valid until the batch is finished or abandoned.</param>
    /// <param name="workers">Threads to use, the caller's included.</param>
    /// <param name="hash">Compute what dedup needs.</param>
    internal void Begin(ReadOnlySpan<DataBlock> blocks, int workers, bool hash)
    {
        int bytes = 0;
        for (int i = 0; i < blocks.Length; i++)
        {
            ref readonly DataBlock block = ref blocks[i];
            ref Work work = ref _work[i];
            work.Logical = block.Logical;
            work.LogicalBytes = block.LogicalBytes;
            work.CompressionSetting = block.CompressionSetting;
            work.Check = block.Check;
            work.History = block.History;
            bytes += block.LogicalBytes;
        }

        _hash = hash;
        _failure = null;
        _count = blocks.Length;
        _left = blocks.Length;
        _allDone.Reset();
        Volatile.Write(ref _next, 0);
        if (bytes < WorthSharingBytes)
            return;
        for (int i = 1; i < Math.Min(workers, blocks.Length); i++)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Encodes what nobody has begun, waits for the rest.</summary>
    internal void Finish()
    {
        Execute();
        Abandon();
        _failure?.Throw();
    }

    /// <summary>Lets nobody begin another block and waits for those that were begun.</summary>
    internal void Abandon()
    {
        int begun = Interlocked.Exchange(ref _next, Closed);
        if (begun < _count)
            Done(_count - begun);
        _allDone.Wait();
    }

    /// <summary>A worker: takes one block after another until there is none.</summary>
    public void Execute()
    {
        while (true)
        {
            int index = Interlocked.Increment(ref _next) - 1;
            if (index >= _count)
                return;
            try
            {
                Encode(index);
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
            }

            Done(1);
        }
    }

    internal StoredForm Form(int index) => _work[index].Form;

    internal ulong Hash(int index) => _work[index].Hash;

    internal CheckArea Code(int index) => _work[index].Code;

    /// <summary>The bytes to store.</summary>
    internal ReadOnlySpan<byte> Stored(int index)
    {
        ref readonly Work work = ref _work[index];
        return work.Form.IsRaw
            ? new ReadOnlySpan<byte>(work.Logical, work.LogicalBytes)
            : _stored.Slice(index * BlockEncoder.StoredBytesMax, 1 << work.Form.Radix);
    }

    /// <summary>Memory to gather a run in.</summary>
    internal Span<byte> RunStaging(int bytes) => (_staging ??= new NativeBlock(RunBlocksMax * FormatLimits.BlockBytesMax)).Slice(0, bytes);

    public void Dispose()
    {
        _stored.Dispose();
        _staging?.Dispose();
        _allDone.Dispose();
    }

    private void Encode(int index)
    {
        ref Work work = ref _work[index];
        var logical = new ReadOnlySpan<byte>(work.Logical, work.LogicalBytes);
        Span<byte> target = _stored.Slice(index * BlockEncoder.StoredBytesMax, BlockEncoder.StoredBytesMax);
        work.Form = BlockEncoder.Encode(logical, work.CompressionSetting, work.Check, work.History, target);
        work.Code = default;
        if (work.Form.IsHole)
            return;
        ReadOnlySpan<byte> stored = Stored(index);
        Span<byte> code = MemoryMarshal.CreateSpan(ref Unsafe.As<CheckArea, byte>(ref work.Code), CheckArea.Bytes);
        Checks.Compute(work.Check, stored, code);
        if (_hash && DedupTable.Allows(work.Check))
            work.Hash = work.Check == CheckMethod.XxHash64 ? MemoryMarshal.Read<ulong>(code) : Checks.XxHash(stored);
    }

    private void Done(int blocks)
    {
        if (Interlocked.Add(ref _left, -blocks) == 0)
            _allDone.Set();
    }

    private struct Work
    {
        internal byte* Logical;
        internal int LogicalBytes;
        internal byte CompressionSetting;
        internal CheckMethod Check;
        internal CompressionHistory? History;
        internal StoredForm Form;
        internal ulong Hash;
        internal CheckArea Code;
    }
}
