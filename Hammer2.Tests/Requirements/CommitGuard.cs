// Watches write by write that nothing is overwritten that the newest durable header reaches, its freemap included. A plain walk
// over the medium lists what a header reaches, in units of 1 KiB. A header's blocks are protected from its write on, those of the
// header before it until the flush that follows.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Freemap;

namespace Hammer2.Tests.Requirements;

/// <summary>Watches the writes of a rig and names those that hit what must stay.</summary>
internal sealed class CommitGuard
{
    private const int UnitRadix = FormatLimits.AllocationRadixMin;
    private readonly EngineRig _rig;
    private readonly object _gate = new();
    private HashSet<long> _durable;
    private HashSet<long>? _written;

    internal CommitGuard(EngineRig rig)
    {
        _rig = rig;
        _durable = Reachable(rig.Memory);
        rig.Device.Writing = OnWriting;
        rig.Device.Written = OnWritten;
        rig.Device.Flushed = OnFlushed;
    }

    internal int Headers { get; private set; }

    internal long Units { get; private set; }

    internal void AssertNothingHit() => Assert.IsEmpty(_rig.Device.Faults, string.Join('\n', _rig.Device.Faults.Take(10)));

    private void OnWriting(long offset, int length)
    {
        if (WatchedDevice.IsHeader(offset, length))
            return;
        lock (_gate)
        {
            for (long unit = offset >> UnitRadix; unit << UnitRadix < offset + length; unit++)
            {
                Units++;
                if (!_durable.Contains(unit) && _written?.Contains(unit) != true)
                    continue;
                _rig.Device.Faults.Enqueue($"0x{unit << UnitRadix:x} is overwritten by a write of {length} bytes at 0x{offset:x} and a durable header reaches it");
                return;
            }
        }
    }

    private void OnWritten(long offset, int length)
    {
        if (!WatchedDevice.IsHeader(offset, length))
            return;
        lock (_gate)
        {
            Headers++;
            _written = Reachable(_rig.Memory);
        }
    }

    private void OnFlushed()
    {
        lock (_gate)
        {
            _durable = _written ?? _durable;
            _written = null;
        }
    }

    private static HashSet<long> Reachable(MemoryBlockDevice memory)
    {
        var units = new HashSet<long>();
        foreach (BlockRef bref in UsedBlocks.Of([memory]))
            Add(bref);
        var pending = new Stack<BlockRef>(VolumeSet.Open([memory]).Header.Freemap.ToArray());
        while (pending.TryPop(out BlockRef bref))
        {
            if (bref.Type is not (BlockRefType.FreemapNode or BlockRefType.FreemapLeaf))
                continue;
            Add(bref);
            byte[] block = new byte[bref.Physical.Bytes];
            memory.Read((long)bref.Physical.Offset, block);
            if (bref.Type != BlockRefType.FreemapNode)
                continue;
            foreach (BlockRef child in MemoryMarshal.Cast<byte, BlockRef>(block))
                pending.Push(child);
        }

        return units;

        void Add(in BlockRef bref)
        {
            for (int i = 0; i < bref.Physical.Bytes >> UnitRadix; i++)
                units.Add(((long)bref.Physical.Offset >> UnitRadix) + i);
        }
    }
}
