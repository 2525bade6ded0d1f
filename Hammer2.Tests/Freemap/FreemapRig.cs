// A volume that consists of a header and a freemap, in memory: opened, allocated from, frozen, reopened as after a mount.
// Builds Freemap, Blocks and Devices without the rooms above. Header slots and transaction ids advance as in a commit.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Tests.Dokan;
using Microsoft.Extensions.Logging;

namespace Hammer2.Tests.Freemap;

/// <summary>One volume set under a freemap allocator.</summary>
internal sealed class FreemapRig : IDisposable
{
    internal const long Mib = 1L << 20;
    internal const long Gib = 1L << 30;
    private const long MemoryBytes = 4 << 20;
    private readonly IBlockDevice[] _devices;
    private readonly long _memoryBytes;
    private byte[] _header;
    private BlockReader _reader;

    internal FreemapRig(IBlockDevice[] devices, long memoryBytes = MemoryBytes)
    {
        _devices = devices;
        _memoryBytes = memoryBytes;
        Log = new ListLogger();
        (_reader, Allocator, _header) = Open();
    }

    internal ListLogger Log { get; }

    internal FreemapAllocator Allocator { get; private set; }

    internal BlockReader Reader => _reader;

    internal VolumeHeader Header => _reader.Volumes.Header;

    /// <summary>Addresses that the last commit wrote, in order.</summary>
    internal List<long> Written { get; } = [];

    internal BlockRef[] Blockset { get; private set; } = new BlockRef[FormatLimits.BlockSetCount];

    internal ulong MirrorTid => BinaryPrimitives.ReadUInt64LittleEndian(_header.AsSpan(0x78));

    internal IBlockDevice[] Devices => _devices;

    /// <summary>A fresh volume as newfs leaves it: header copies, no freemap.</summary>
    internal static FreemapRig Format(long bytes, ulong? allocatorBegin = null, long memoryBytes = MemoryBytes)
    {
        var device = new MemoryBlockDevice(bytes);
        byte[] header = NewHeader(bytes, allocatorBegin ?? (ulong)(20 * Mib + 2048));
        for (long at = 0; at < bytes && at < 4 * FormatLimits.VolumeHeaderSpacing; at += FormatLimits.VolumeHeaderSpacing)
            device.Write(at, header);
        return new FreemapRig([device], memoryBytes);
    }

    internal static byte[] NewHeader(long bytes, ulong allocatorBegin)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        Span<byte> h = header;
        ulong areasEnd = allocatorBegin / (ulong)(4 * Mib) * (ulong)(4 * Mib);
        long zones = (bytes + Gib - 1) / Gib;
        BinaryPrimitives.WriteUInt64LittleEndian(h, VolumeHeader.Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x08..], (ulong)(4 * Mib));
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x10..], areasEnd);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x18..], areasEnd);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x20..], areasEnd);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x28..], bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(h[0x30..], 2);
        h[0x3A] = 3;
        h[0x3C] = 1;
        new Guid("f4ee3a90-0000-4000-8000-0000000000aa").TryWriteBytes(h[0x40..]);
        VolumeHeader.HammerType.TryWriteBytes(h[0x50..]);
        long size = bytes - zones * 4 * Mib - (long)areasEnd + 4 * Mib;
        BinaryPrimitives.WriteInt64LittleEndian(h[0x60..], size);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x68..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x70..], allocatorBegin);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x78..], 16);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x90..], 16);
        BinaryPrimitives.WriteInt64LittleEndian(h[0xC0..], bytes);
        h.Slice(VolumeHeader.VolumeOffsetsOffset + 8, 63 * 8).Fill(0xFF);
        VolumeHeader.Seal(h);
        return header;
    }

    /// <summary>Freezes the freemap, writes it and a header into the next slot.</summary>
    /// <param name="superRoot">Replaces the super-root blockset.</param>
    internal void Commit(BlockRef[]? superRoot = null)
    {
        Written.Clear();
        ulong tid = MirrorTid + 1;
        Allocator.Freeze(tid, tid, Write, Blockset);
        Span<byte> h = _header;
        BinaryPrimitives.WriteInt64LittleEndian(h[0x68..], Allocator.FreeBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x78..], tid);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x90..], tid);
        MemoryMarshal.AsBytes(Blockset.AsSpan()).CopyTo(h[VolumeHeader.FreemapOffset..]);
        if (superRoot is not null)
            MemoryMarshal.AsBytes(superRoot.AsSpan()).CopyTo(h[VolumeHeader.SuperRootOffset..]);
        VolumeHeader.Seal(h);
        long slots = Math.Min(4, (_reader.Volumes.Members[0].Length + FormatLimits.VolumeHeaderSpacing - 1) / FormatLimits.VolumeHeaderSpacing);
        WriteAt((long)(tid % (ulong)slots) * FormatLimits.VolumeHeaderSpacing, _header);
    }

    /// <summary>Forgets everything in memory, as a new mount does.</summary>
    internal void Reopen() => (_reader, Allocator, _header) = Open();

    internal void WriteAt(long offset, ReadOnlySpan<byte> bytes)
    {
        VolumeMember member = _reader.Volumes.MemberOf(offset, bytes.Length);
        member.Device.Write(offset - member.Start, bytes);
    }

    public void Dispose() => _reader.Dispose();

    private void Write(long offset, ReadOnlyMemory<byte> bytes)
    {
        Written.Add(offset);
        WriteAt(offset, bytes.Span);
    }

    private (BlockReader, FreemapAllocator, byte[]) Open()
    {
        _reader?.Dispose();
        var volumes = VolumeSet.Open(_devices);
        var reader = new BlockReader(volumes, new BlockCache(1 << 20));
        volumes.Header.Freemap.CopyTo(Blockset);
        return (reader, new FreemapAllocator(reader, volumes.Header, Log, _memoryBytes), volumes.Header.Bytes.ToArray());
    }
}
