// Formats devices as one HAMMER2 filesystem (format page 12.2). The order keeps a crash from leaving anything that only
// looks valid: first all old headers go, then everything else is written, last the root volume's headers, without which
// the other volumes are nothing; with a flush between. What is zero already is not written, so that sparse files stay sparse.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>Makes new filesystems.</summary>
public static class VolumeFormatter
{
    // Numbers that the reference implementation's newfs writes (format page 10.1, 11.1, 12.2).
    private const ulong FirstTid = 16;
    private const ulong FirstPfsInode = 16;
    private const byte PeerTypeHammer2 = 3;
    private const byte NoCopyId = 0xFF;
    private const uint SuperRootMode = 0x1C0;
    private const uint PfsRootMode = 0x1ED;
    private const int InodeRadix = 10;
    private const int ZeroChunkBytes = 1 << 20;

    /// <summary>Bytes at the end of a device where partition tables and other systems keep copies of their headers.</summary>
    private const long TailBytes = 1 << 20;

    /// <summary>Formats the devices; whatever they held is lost. Looks at nothing: see <see cref="ContentScanner"/>.</summary>
    /// <param name="devices">One device per volume, the root volume first; they stay open.</param>
    /// <param name="options">What to make; null = the defaults.</param>
    /// <exception cref="Hammer2Exception"><c>InvalidArgument</c> before anything is written, or what the device said.</exception>
    public static VolumeFormatResult Format(IReadOnlyList<IBlockDevice> devices, VolumeFormatOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(devices);
        options ??= new VolumeFormatOptions();
        if (devices.Distinct().Count() != devices.Count)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, "A device is given twice.");
        VolumeFormatPlan plan = VolumeFormatPlan.Make([.. devices.Select(d => (d.Name, d.Length))], options);
        for (int i = 0; i < devices.Count; i++)
            CheckEnd(devices[i], plan.VolumeBytes[i]);

        foreach (IBlockDevice device in devices)
            WipeHeaders(device);
        Flush(devices);

        foreach (IBlockDevice device in devices)
        {
            Zero(device, 0, FormatLimits.ReservedBytes);
            Zero(device, device.Length - TailBytes, TailBytes);
        }

        IBlockDevice root = devices[0];
        Zero(root, VolumeFormatPlan.BootBegin, plan.InodesAt - VolumeFormatPlan.BootBegin);
        byte[] inodes = BuildInodes(plan, options, out BlockRef superRoot);
        root.Write(plan.InodesAt, inodes);
        Guid id = options.NewId();
        for (int i = devices.Count - 1; i > 0; i--)
            WriteHeaders(devices[i], BuildHeader(plan, options, id, i, superRoot), plan.VolumeBytes[i]);
        Flush(devices);
        WriteHeaders(root, BuildHeader(plan, options, id, 0, superRoot), plan.VolumeBytes[0]);
        Flush(devices);
        return new VolumeFormatResult(
            id, options.Version, plan.VolumeBytes, plan.BootBytes, plan.AuxBytes, plan.UsableBytes,
            [.. plan.Labels.Select(Encoding.UTF8.GetString)]);
    }

    // A device that claims more than it has (a cut image, a fake stick) is found out before anything is lost.
    private static void CheckEnd(IBlockDevice device, long volumeBytes)
    {
        byte[] last = new byte[FormatLimits.BlockBytesMax];
        device.Read(volumeBytes - last.Length, last);
    }

    private static void Flush(IReadOnlyList<IBlockDevice> devices)
    {
        foreach (IBlockDevice device in devices)
            device.Flush();
    }

    // All four places, also those behind the new volume's end: a stale header there would beat the new ones (trap T8).
    private static void WipeHeaders(IBlockDevice device)
    {
        for (int copy = 0; copy < FormatLimits.VolumeHeaderCopies; copy++)
            Zero(device, copy * FormatLimits.VolumeHeaderSpacing, FormatLimits.VolumeHeaderBytes);
    }

    private static void WriteHeaders(IBlockDevice device, byte[] header, long volumeBytes)
    {
        for (int copy = FormatLimits.VolumeHeaderCopies - 1; copy >= 0; copy--)
        {
            long at = copy * FormatLimits.VolumeHeaderSpacing;
            if (at < volumeBytes)
                device.Write(at, header);
        }
    }

    private static void Zero(IBlockDevice device, long offset, long length)
    {
        long end = Math.Min(device.Length, offset + length);
        byte[] chunk = new byte[ZeroChunkBytes];
        for (long at = Math.Max(0, offset); at < end; at += chunk.Length)
        {
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, end - at));
            if (IsZero(device, at, part))
                continue;
            part.Clear();
            device.Write(at, part);
        }
    }

    private static bool IsZero(IBlockDevice device, long at, Span<byte> buffer)
    {
        try
        {
            device.Read(at, buffer);
            return !buffer.ContainsAnyExcept((byte)0);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            // A sector that cannot be read often can be written, which repairs it; if not, the write says so.
            return false;
        }
    }

    // One 64 KiB block: the super-root inode, then the PFS roots in the order of the labels.
    private static byte[] BuildInodes(VolumeFormatPlan plan, VolumeFormatOptions options, out BlockRef superRoot)
    {
        byte[] block = new byte[FormatLimits.BlockBytesMax];
        var refs = new List<BlockRef>();
        for (int i = 0; i < plan.Labels.Count; i++)
        {
            ulong key = FreeKey(refs, DirectoryHash.Compute(plan.Labels[i]));
            Span<byte> inode = block.AsSpan((1 + i) * FormatLimits.InodeBytes, FormatLimits.InodeBytes);
            FillPfsRoot(inode, plan.Labels[i], key, options);
            BlockRef bref = InodeRef(plan.InodesAt + (1 + i) * FormatLimits.InodeBytes, key, inode);
            bref.Methods = (byte)((int)CheckMethod.XxHash64 << 4);
            bref.Flags = BlockRef.FlagPfsRoot;
            refs.Add(bref);
        }

        refs.Sort((a, b) => a.Key.CompareTo(b.Key));
        Span<byte> top = block.AsSpan(0, FormatLimits.InodeBytes);
        FillSuperRoot(top, options);
        CollectionsMarshal.AsSpan(refs).CopyTo(MemoryMarshal.Cast<byte, BlockRef>(top[InodeData.UnionOffset..]));
        superRoot = InodeRef(plan.InodesAt, 0, top);
        superRoot.Methods = (byte)((int)CheckMethod.XxHash64 << 4 | (int)CompressionMethod.AutoZero);
        return block;
    }

    private static ulong FreeKey(List<BlockRef> taken, ulong key)
    {
        while (taken.Exists(b => b.Key == key))
            key++;
        return key;
    }

    private static BlockRef InodeRef(long offset, ulong key, ReadOnlySpan<byte> inode) => new()
    {
        Type = BlockRefType.Inode,
        CopyId = NoCopyId,
        VRadix = InodeRadix,
        Key = key,
        MirrorTid = FirstTid,
        DataOff = (ulong)offset | InodeRadix,
        Check64 = Checks.XxHash(inode),
    };

    private static void FillPfsRoot(Span<byte> inode, byte[] label, ulong key, VolumeFormatOptions options)
    {
        ref InodeData data = ref Fill(inode, label, key, options);
        bool isBoot = Encoding.UTF8.GetString(label).Equals("BOOT", StringComparison.OrdinalIgnoreCase);
        CompressionMethod compression = options.Compression ?? (isBoot ? CompressionMethod.AutoZero : CompressionMethod.Lz4);
        data.OpFlags = InodeData.OpPfsRoot;
        data.Mode = PfsRootMode;
        data.InodeNumber = FormatLimits.RootInodeNumber;
        data.LinkCount = 1;
        data.CompressionSetting = (byte)((int)compression | options.CompressionLevel << 4);
        data.CheckSetting = (byte)options.Check;
        data.PfsType = (byte)PfsType.Master;
        data.PfsNextInode = FirstPfsInode;
    }

    private static void FillSuperRoot(Span<byte> inode, VolumeFormatOptions options)
    {
        ref InodeData data = ref Fill(inode, "SUPROOT"u8, 0, options);
        data.Mode = SuperRootMode;
        data.LinkCount = 2;
        data.CompressionSetting = (byte)CompressionMethod.AutoZero;
        data.CheckSetting = (byte)CheckMethod.XxHash64;
        data.PfsType = (byte)PfsType.SuperRoot;
    }

    private static ref InodeData Fill(Span<byte> inode, ReadOnlySpan<byte> name, ulong key, VolumeFormatOptions options)
    {
        ref InodeData data = ref MemoryMarshal.AsRef<InodeData>(inode);
        data.Version = 1;
        data.ChangeTime = data.ModifyTime = data.BirthTime = options.TimeUs;
        data.Type = ObjectType.Directory;
        data.NameKey = key;
        data.NameLength = (ushort)name.Length;
        name.CopyTo(inode[InodeData.NameOffset..]);
        data.PfsClusterId = options.NewId();
        data.PfsFileSystemId = options.NewId();
        return ref data;
    }

    private static byte[] BuildHeader(VolumeFormatPlan plan, VolumeFormatOptions options, Guid id, int volume, in BlockRef superRoot)
    {
        bool isRoot = volume == 0;
        var header = new VolumeHeaderBuilder
        {
            VolumeSize = (ulong)plan.VolumeBytes[volume],
            Version = options.Version,
            PeerType = PeerTypeHammer2,
            VolumeId = (byte)volume,
            FileSystemId = id,
            AllocatorSize = (ulong)plan.UsableBytes,
            MirrorTid = FirstTid,
            FreemapTid = FirstTid,
        };
        if (options.Version >= 2)
        {
            header.VolumeCount = (byte)plan.VolumeBytes.Count;
            header.TotalSize = (ulong)plan.TotalBytes;
            ulong start = 0;
            for (int i = 0; i < FormatLimits.VolumesMax; i++)
            {
                bool exists = i < plan.VolumeBytes.Count;
                header.SetVolumeOffset(i, exists ? start : VolumeHeaderBuilder.NoVolume);
                start += exists ? (ulong)plan.VolumeBytes[i] : 0;
            }
        }

        if (!isRoot)
        {
            foreach (ref BlockRef bref in header.SuperRoot)
                bref.Type = BlockRefType.Invalid;
            return header.Seal();
        }

        header.BootBegin = (ulong)VolumeFormatPlan.BootBegin;
        header.BootEnd = header.AuxBegin = (ulong)plan.AuxBegin;
        header.AuxEnd = (ulong)plan.InodesAt;
        header.AllocatorFree = header.AllocatorSize;
        header.AllocatorBegin = (ulong)(plan.InodesAt + (1 + plan.Labels.Count) * FormatLimits.InodeBytes);
        header.SuperRoot[0] = superRoot;
        return header.Seal();
    }
}
