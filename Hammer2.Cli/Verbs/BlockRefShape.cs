// A blockref as a shape, shared by show, freemap and volhdr. Invariant: keys, offsets, ids and check values are
// hex strings, because JSON numbers lose bits above 2^53 in many readers.
// May call the engine's format.

using System.Text.Json.Serialization;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>All fields of a blockref.</summary>
internal sealed record BlockRefShape
{
    public required string Type { get; init; }

    public required string Key { get; init; }

    public required int Keybits { get; init; }

    public required string Check { get; init; }

    public required string Comp { get; init; }

    public required string DataOff { get; init; }

    public required int Radix { get; init; }

    public required string MirrorTid { get; init; }

    public required string ModifyTid { get; init; }

    public required byte Copyid { get; init; }

    public required byte Flags { get; init; }

    public required ushort LeafCount { get; init; }

    /// <summary>Statistics of INODE and INDIRECT.</summary>
    public ulong? DataCount { get; init; }

    public ulong? InodeCount { get; init; }

    /// <summary>Target of DIRENT.</summary>
    public ulong? DirentInum { get; init; }

    public string? DirentType { get; init; }

    /// <summary>Freemap hints.</summary>
    public string? Bigmask { get; init; }

    public ulong? Avail { get; init; }

    /// <summary>Absent when the method stores none.</summary>
    public string? CheckValue { get; init; }

    [JsonIgnore]
    public string Text
    {
        get
        {
            string text =
                $"{Type} key {Key}/{Keybits} methods {Check},{Comp} data {DataOff}/{Radix} mirror {MirrorTid} modify {ModifyTid}";
            if (LeafCount != 0)
                text += $" leaves {LeafCount}";
            if (DataCount is not null)
                text += $" below {DataCount} bytes {InodeCount} inodes";
            if (Flags != 0)
                text += $" flags 0x{Flags:x2}";
            if (Bigmask is not null)
                text += $" bigmask {Bigmask} avail {Avail}";
            return CheckValue is null ? text : text + " check " + CheckValue;
        }
    }

    public static BlockRefShape Of(in BlockRef bref)
    {
        bool counts = bref.Type is BlockRefType.Inode or BlockRefType.Indirect;
        bool dirent = bref.Type == BlockRefType.Dirent;
        bool freemap = bref.Type is BlockRefType.FreemapNode or BlockRefType.FreemapLeaf;
        return new BlockRefShape
        {
            Type = MethodNames.Of(bref.Type),
            Key = $"0x{bref.Key:x16}",
            Keybits = bref.KeyBits,
            Check = MethodNames.Of(bref.CheckMethod),
            Comp = MethodNames.Of(bref.Compression),
            DataOff = $"0x{bref.Physical.Offset:x}",
            Radix = bref.Physical.Radix,
            MirrorTid = $"0x{bref.MirrorTid:x}",
            ModifyTid = $"0x{bref.ModifyTid:x}",
            Copyid = bref.CopyId,
            Flags = bref.Flags,
            LeafCount = bref.LeafCount,
            DataCount = counts ? bref.DataCount : null,
            InodeCount = counts ? bref.InodeCount : null,
            DirentInum = dirent ? bref.DirentInode : null,
            DirentType = dirent ? MethodNames.Of(bref.DirentType) : null,
            Bigmask = freemap ? $"0x{bref.FreemapBigMask:x8}" : null,
            Avail = freemap ? bref.FreemapAvail : null,
            CheckValue = ValueOf(bref),
        };
    }

    private static string? ValueOf(in BlockRef bref)
    {
        if (!bref.Physical.HasData)
            return null;
        return bref.CheckMethod switch
        {
            CheckMethod.Iscsi32 or CheckMethod.Freemap => $"0x{bref.Check32:x8}",
            CheckMethod.XxHash64 => $"0x{bref.Check64:x16}",
            CheckMethod.Sha192 => Convert.ToHexStringLower(BlockRef.CheckBytes(bref)[..24]),
            _ => null,
        };
    }
}
