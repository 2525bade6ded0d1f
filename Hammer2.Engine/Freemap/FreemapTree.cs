// The blockrefs above the leaves: the header's blockset and the nodes, read when first needed. Leaves enter it only
// during a freeze, so between commits it is what the medium says. Invariants: a node is read from one of its own slots
// and by its check code or not at all; a damaged node stays referenced as it is, and what lies below it is out of reach;
// nodes appear only where a set overflows (format page 8.4). At most five levels, no recursion. Uses Format and Blocks.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Freemap;

/// <summary>What the tree says of a zone.</summary>
internal enum LeafPresence
{
    /// <summary>There is no leaf: the zone is untouched.</summary>
    Missing,

    /// <summary>There is a reference to a leaf.</summary>
    Present,

    /// <summary>What leads to the leaf is damaged.</summary>
    Unreachable,
}

/// <summary>The arrays of blockrefs of the freemap.</summary>
internal sealed class FreemapTree
{
    private const int Fanout = FreemapGeometry.BlockBytes / FormatLimits.BlockRefBytes;
    private const byte FreemapMethods = (byte)CheckMethod.Freemap << 4;
    private const int RootLevel = FreemapGeometry.LevelMax + 1;
    private readonly BlockReader _reader;
    private readonly ILogger _logger;
    private readonly Node _root;
    private readonly BlockRef[] _stored;
    private readonly Dictionary<(int Level, ulong Key), Node> _nodes = [];
    private readonly HashSet<ulong> _damaged = [];
    private long _clock;

    /// <summary>Takes the header's freemap blockset.</summary>
    internal FreemapTree(BlockReader reader, ReadOnlySpan<BlockRef> blockset, ILogger logger)
    {
        _reader = reader;
        _logger = logger;
        _stored = blockset.ToArray();
        _root = new Node(RootLevel, 0, FormatLimits.BlockSetCount);
        blockset.CopyTo(_root.Refs);
        try
        {
            _root.Count = NodeArray.Normalise(_root.Refs, "Freemap blockset");
            _root.Refs.AsSpan(_root.Count).Clear();
        }
        catch (Hammer2Exception e)
        {
            IsDamaged = true;
            _logger.LogWarning("Nothing can be allocated: {Message}", e.Message);
        }
    }

    /// <summary>The header's blockset makes no sense; everything is out of reach.</summary>
    internal bool IsDamaged { get; private set; }

    /// <summary>Nodes in memory.</summary>
    internal int NodeCount => _nodes.Count;

    /// <summary>True when a freeze would write a node or the blockset differs from the stored one.</summary>
    internal bool IsDirty => _root.IsDirty;

    /// <summary>The reference to a zone's leaf.</summary>
    internal LeafPresence FindLeaf(long zone, out BlockRef bref)
    {
        ulong key = FreemapGeometry.KeyOf(zone);
        bref = default;
        if (IsDamaged)
            return LeafPresence.Unreachable;
        Node node = _root;
        while (node.Covering(key) is int index and >= 0)
        {
            bref = node.Refs[index];
            int level = FreemapGeometry.LevelOf(bref.KeyBits);
            if (level >= node.Level || FreemapGeometry.RotationOf(bref) < 0)
            {
                ReportOnce(bref, $"Freemap blockref {bref} stands where it does not belong");
                return LeafPresence.Unreachable;
            }

            if (level == FreemapGeometry.LeafLevel)
                return LeafPresence.Present;
            Node? below = TryGetNode(bref, level);
            if (below is null)
                return LeafPresence.Unreachable;
            node = below;
        }

        return LeafPresence.Missing;
    }

    /// <summary>First zone from <paramref name="zone"/> on that has a leaf which can be reached; -1 when there is none.</summary>
    internal long NextLeaf(long zone)
    {
        if (IsDamaged)
            return -1;
        Node node = _root;
        while (true)
        {
            int index = NodeArray.FirstReaching(node.Refs.AsSpan(0, node.Count), FreemapGeometry.KeyOf(zone));
            ulong last = node.LastKey;
            if (index < node.Count)
            {
                BlockRef bref = node.Refs[index];
                int level = FreemapGeometry.LevelOf(bref.KeyBits);
                bool sound = level < node.Level && FreemapGeometry.RotationOf(bref) >= 0;
                if (sound && level == FreemapGeometry.LeafLevel)
                    return FreemapGeometry.ZoneOf(bref.Key);
                Node? below = sound ? TryGetNode(bref, level) : null;
                if (below is not null)
                {
                    node = below;
                    continue;
                }

                last = bref.LastKey;
            }
            else if (node == _root)
            {
                return -1;
            }

            // Nothing more in this array, or a reference that cannot be followed: on behind it, from the top.
            if (last == ulong.MaxValue)
                return -1;
            zone = Math.Max(zone + 1, FreemapGeometry.ZoneOf(last + 1));
            node = _root;
        }
    }

    /// <summary>For a rebuild: takes out every reference that cannot be followed. What lay below it is then missing.</summary>
    internal void DropDamaged()
    {
        if (IsDamaged)
        {
            _root.Count = 0;
            _root.Refs.AsSpan().Clear();
            _root.IsDirty = true;
            IsDamaged = false;
        }

        var pending = new Stack<Node>([_root]);
        while (pending.TryPop(out Node? node))
        {
            int kept = 0;
            for (int i = 0; i < node.Count; i++)
            {
                BlockRef bref = node.Refs[i];
                int level = FreemapGeometry.LevelOf(bref.KeyBits);
                bool sound = level < node.Level && FreemapGeometry.RotationOf(bref) >= 0;
                Node? below = sound && level > FreemapGeometry.LeafLevel ? TryGetNode(bref, level) : null;
                if (!sound || level > FreemapGeometry.LeafLevel && below is null)
                    continue;
                if (below is not null)
                    pending.Push(below);
                node.Refs[kept++] = bref;
            }

            node.IsDirty |= kept < node.Count;
            node.Refs.AsSpan(kept).Clear();
            node.Count = kept;
        }

        _damaged.Clear();
    }

    /// <summary>During a freeze: enters a leaf or replaces its reference.</summary>
    internal void Put(in BlockRef bref)
    {
        Invariant.Check(!IsDamaged);
        while (true)
        {
            Node node = _root;
            node.IsDirty = true;
            int index;
            while ((index = node.Covering(bref.Key)) >= 0 && node.Refs[index].KeyBits > bref.KeyBits)
            {
                BlockRef next = node.Refs[index];
                node = TryGetNode(next, FreemapGeometry.LevelOf(next.KeyBits))
                    ?? throw new Hammer2Exception(Hammer2Error.Io, $"Freemap node {next} cannot be read any more.");
                node.IsDirty = true;
            }

            if (index >= 0)
            {
                Invariant.Check(node.Refs[index].Key == bref.Key && node.Refs[index].KeyBits == bref.KeyBits);
                node.Refs[index] = bref;
                return;
            }

            if (node.Count < node.Refs.Length)
            {
                node.Insert(bref);
                return;
            }

            PushDown(node);
        }
    }

    /// <summary>During a freeze, after the leaves: writes changed nodes bottom-up and gives the blockset.</summary>
    internal void Freeze(ulong mirrorTid, ulong modifyTid, Action<long, ReadOnlyMemory<byte>> write, Span<BlockRef> blockset)
    {
        if (IsDamaged)
        {
            _stored.CopyTo(blockset);
            return;
        }

        for (int level = FreemapGeometry.LeafLevel + 1; level <= FreemapGeometry.LevelMax; level++)
        {
            foreach (Node node in _nodes.Values.Where(n => n.Level == level && n.IsDirty).OrderBy(n => n.Key).ToArray())
            {
                node.Rotation = (node.Rotation + 1) % FreemapGeometry.Rotations;
                byte[] bytes = node.ToBytes();
                BlockRef bref = Seal(node.Key, level, node.Rotation, bytes, mirrorTid, modifyTid);
                write((long)bref.Physical.Offset, bytes);
                Put(bref);
                node.IsDirty = false;
            }
        }

        _root.Refs.CopyTo(blockset);
        _root.IsDirty = false;
    }

    /// <summary>The reference to a freemap block that is about to be written.</summary>
    internal static BlockRef Seal(ulong key, int level, int rotation, ReadOnlySpan<byte> bytes, ulong mirrorTid, ulong modifyTid) => new()
    {
        Type = level == FreemapGeometry.LeafLevel ? BlockRefType.FreemapLeaf : BlockRefType.FreemapNode,
        Methods = FreemapMethods,
        KeyBits = (byte)FreemapGeometry.KeyBitsOf(level),
        Key = key,
        MirrorTid = mirrorTid,
        ModifyTid = modifyTid,
        DataOff = FreemapGeometry.SlotOf(key, level, rotation),
        Check32 = Crc32C.Compute(bytes),
    };

    /// <summary>Drops unchanged nodes, the longest unused first, until so many are left.</summary>
    internal void Trim(int nodesMax)
    {
        int excess = _nodes.Count - nodesMax;
        if (excess <= 0)
            return;
        foreach (Node node in _nodes.Values.Where(n => !n.IsDirty).OrderBy(n => n.LastUse).Take(excess).ToArray())
            _nodes.Remove((node.Level, node.Key));
    }

    // Groups the finest entries with the lowest key under a new node (format page 8.4). One round need not make room;
    // the caller tries again, and each round leaves fewer entries of the finest kind.
    private void PushDown(Node parent)
    {
        Span<BlockRef> refs = parent.Refs;
        int finest = 0;
        for (int i = 1; i < parent.Count; i++)
        {
            if (refs[i].KeyBits < refs[finest].KeyBits)
                finest = i;
        }

        int level = FreemapGeometry.LeafLevel;
        while (level <= FreemapGeometry.LevelMax && FreemapGeometry.KeyBitsOf(level) <= refs[finest].KeyBits)
            level++;
        if (level >= parent.Level)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"The freemap has no room for another zone at {refs[finest]}.");
        int bits = FreemapGeometry.KeyBitsOf(level);
        ulong key = refs[finest].Key >> bits << bits;
        var node = new Node(level, key, Fanout) { IsDirty = true, LastUse = ++_clock };
        int kept = 0;
        for (int i = 0; i < parent.Count; i++)
        {
            if ((refs[i].Key ^ key) >> bits == 0)
                node.Refs[node.Count++] = refs[i];
            else
                refs[kept++] = refs[i];
        }

        refs[kept..].Clear();
        parent.Count = kept;

        // Rotation -1 makes the freeze write it into rotation 0; until then this reference only stands for the range.
        parent.Insert(Seal(key, level, 0, [], 0, 0));
        _nodes.Add((level, key), node);
    }

    private Node? TryGetNode(in BlockRef bref, int level)
    {
        if (_nodes.TryGetValue((level, bref.Key), out Node? known))
        {
            known.LastUse = ++_clock;
            return known;
        }

        if (_damaged.Contains(bref.DataOff))
            return null;
        var node = new Node(level, bref.Key, Fanout) { Rotation = FreemapGeometry.RotationOf(bref), LastUse = ++_clock };
        try
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(node.Refs.AsSpan());
            _reader.ReadStored(bref, bytes);
            node.Count = NodeArray.Normalise(node.Refs, bref);
            node.Refs.AsSpan(node.Count).Clear();
            if (node.Count > 0 && (node.Refs[0].Key < bref.Key || node.Refs[node.Count - 1].LastKey > bref.LastKey))
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Freemap node {bref} holds keys outside its range.");
        }
        catch (Hammer2Exception e)
        {
            ReportOnce(bref, e.Message);
            return null;
        }

        _nodes.Add((level, bref.Key), node);
        return node;
    }

    private void ReportOnce(in BlockRef bref, string message)
    {
        if (_damaged.Add(bref.DataOff))
            _logger.LogWarning("Nothing will be allocated from 0x{First:x} to 0x{Last:x}: {Message}", bref.Key, bref.LastKey, message);
    }

    private sealed class Node(int level, ulong key, int capacity)
    {
        internal readonly int Level = level;
        internal readonly ulong Key = key;
        internal readonly BlockRef[] Refs = new BlockRef[capacity];
        internal int Count;
        internal int Rotation = -1;
        internal bool IsDirty;
        internal long LastUse;

        internal ulong LastKey => Level == RootLevel ? ulong.MaxValue : Key | ((1UL << FreemapGeometry.KeyBitsOf(Level)) - 1);

        internal int Covering(ulong at)
        {
            int index = NodeArray.FirstReaching(Refs.AsSpan(0, Count), at);
            return index < Count && Refs[index].Key <= at ? index : -1;
        }

        internal void Insert(in BlockRef bref)
        {
            Invariant.Check(Count < Refs.Length);
            int index = NodeArray.FirstReaching(Refs.AsSpan(0, Count), bref.Key);
            Refs.AsSpan(index, Count - index).CopyTo(Refs.AsSpan(index + 1));
            Refs[index] = bref;
            Count++;
        }

        internal byte[] ToBytes() => MemoryMarshal.AsBytes(Refs.AsSpan()).ToArray();
    }
}
