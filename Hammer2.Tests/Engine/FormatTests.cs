// The format room against the worked bytes and test vectors of the format page (annexes A and B), and against
// definitions written down here a second time, independently.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class FormatTests
{
    private static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal));

    [TestMethod]
    public void Crc32CMatchesItsVectorAndItsDefinition()
    {
        Assert.AreEqual(0xE3069283u, Crc32C.Compute("123456789"u8));
        Assert.AreEqual(0u, Crc32C.Compute([]));
        var random = new Random(5);
        for (int length = 0; length < 200; length++)
        {
            byte[] data = new byte[length];
            random.NextBytes(data);
            uint crc = uint.MaxValue;
            foreach (byte b in data)
            {
                crc ^= b;
                for (int bit = 0; bit < 8; bit++)
                    crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
            }

            Assert.AreEqual(~crc, Crc32C.Compute(data), $"{length} bytes");
        }
    }

    [TestMethod]
    public void XxHashIsSeeded()
    {
        Assert.AreEqual(0x84566AC0F5A0CB84UL, Checks.XxHash([]));
        Assert.AreEqual(0x9BA15F8BD2FB8F3EUL, Checks.XxHash("abc"u8));
        Assert.AreEqual(0xA85F7F8931B8CF1EUL, Checks.XxHash(new byte[1024]));
        byte[] name = new byte[1024];
        name.AsSpan(0, 65).Fill((byte)'n');
        Assert.AreEqual(BinaryPrimitives.ReadUInt64LittleEndian(Hex("151c990426c25312")), Checks.XxHash(name), "annex A.4");
    }

    [TestMethod]
    [DataRow("a", 0xC1D0433082E08000UL)]
    [DataRow("file.txt", 0x891C9ABD13CD8000UL)]
    [DataRow("a-b_c~d.e", 0xAFA85316E9058000UL)]
    [DataRow("BOOT", 0xD9B36CE135528000UL)]
    [DataRow("LOCAL", 0xDE25E1C43FE18000UL)]
    [DataRow("DATA", 0xC78FFF92381D8000UL)]
    [DataRow("ROOT", 0xB0D7DDDC6D0B8000UL)]
    [DataRow("Makefile", 0xBCF8341588ED8000UL)]
    [DataRow("file0001.txt", 0x85B77BB6900D8000UL)]
    [DataRow("tiny512", 0xAEFD6A7A44878000UL)]
    public void DirectoryHashMatchesItsVectors(string name, ulong hash) => Assert.AreEqual(hash, DirectoryHash.Compute(Encoding.UTF8.GetBytes(name)));

    [TestMethod]
    [DataRow("")]
    [DataRow(".")]
    [DataRow("..")]
    [DataRow("._-~")]
    [DataRow(".a")]
    [DataRow("a.")]
    [DataRow("a..b")]
    [DataRow("--a--b--")]
    public void DirectoryHashIgnoresEmptyRuns(string name)
    {
        uint high = 0;
        foreach (string run in name.Split('.', '-', '_', '~'))
            high += run.Length == 0 ? 0 : Crc32C.Compute(Encoding.UTF8.GetBytes(run));
        uint whole = Crc32C.Compute(Encoding.UTF8.GetBytes(name));
        ulong expected = (ulong)(high | 0x80000000) << 32 | (whole ^ whole << 16) & 0xFFFF0000 | 0x8000;
        ulong hash = DirectoryHash.Compute(Encoding.UTF8.GetBytes(name));
        Assert.AreEqual(expected, hash);
        Assert.AreEqual(0UL, hash & FormatLimits.CollisionMask);
        Assert.AreNotEqual(0UL, hash & 1UL << 63);
    }

    [TestMethod]
    public void Sha192IsTheFoldedSha256()
    {
        foreach (int length in new[] { 0, 1, 1024, 65536 })
        {
            byte[] data = new byte[length];
            new Random(length).NextBytes(data);
            byte[] digest = SHA256.HashData(data);
            byte[] expected = new byte[24];
            for (int i = 0; i < 16; i++)
                expected[i] = digest[i];
            for (int i = 0; i < 8; i++)
                expected[16 + i] = (byte)(digest[16 + i] ^ digest[24 + i]);
            byte[] code = new byte[24];
            Assert.AreEqual(24, Checks.Compute(CheckMethod.Sha192, data, code));
            CollectionAssert.AreEqual(expected, code);
        }
    }

    [TestMethod]
    public void EveryCheckSeesOneFlippedBitAndNoneSeesNothing()
    {
        byte[] block = new byte[1024];
        new Random(1).NextBytes(block);
        byte[] flipped = (byte[])block.Clone();
        flipped[700] ^= 4;
        foreach (CheckMethod method in Enum.GetValues<CheckMethod>())
        {
            var bref = new BlockRef { Type = BlockRefType.Data, Methods = (byte)((int)method << 4 | 2) };
            Hostile.ImageBuilder.Seal(ref bref, block);
            Assert.IsTrue(Checks.Matches(bref, block), $"{method}");
            Assert.AreEqual(method is CheckMethod.None or CheckMethod.Disabled, Checks.Matches(bref, flipped), $"{method}");
        }

        Assert.IsTrue(Checks.IsKnown(CheckMethod.Freemap));
        Assert.IsFalse(Checks.IsKnown((CheckMethod)6));
        Assert.IsFalse(Checks.IsKnown((CheckMethod)15));
    }

    [TestMethod]
    public void SuperRootBlockrefReadsAsItsWorkedBytes()
    {
        // Annex A.1, 0x200.
        byte[] bytes = new byte[128];
        Hex("0131ff000a0001000000000000000000 1100000000000000c513000000000000 0ac08914000000000000000000000000 0060c102000000006e02000000000000 243d4bd4c178bbe9").CopyTo(bytes, 0);
        BlockRef bref = MemoryMarshal.Read<BlockRef>(bytes);
        Assert.AreEqual(128, Unsafe.SizeOf<BlockRef>());
        Assert.AreEqual(BlockRefType.Inode, bref.Type);
        Assert.AreEqual(CheckMethod.XxHash64, bref.CheckMethod);
        Assert.AreEqual(CompressionMethod.AutoZero, bref.Compression);
        Assert.AreEqual((0xFF, 0, 10, 0), ((int)bref.CopyId, (int)bref.KeyBits, (int)bref.VRadix, (int)bref.Flags));
        Assert.AreEqual(1, bref.LeafCount);
        Assert.AreEqual((0UL, 0x11UL, 0x13C5UL), (bref.Key, bref.MirrorTid, bref.ModifyTid));
        Assert.AreEqual((0x1489C000UL, 10, 1024), (bref.Physical.Offset, bref.Physical.Radix, bref.Physical.Bytes));
        Assert.AreEqual((0x2C16000UL, 0x26EUL), (bref.DataCount, bref.InodeCount));
        Assert.AreEqual(0xE9BB78C1D44B3D24UL, bref.Check64);
        StringAssert.Contains(bref.ToString(), "xxhash64", StringComparison.Ordinal);
    }

    [TestMethod]
    public void FreemapBlockrefReadsAsItsWorkedBytes()
    {
        // Annex A.1, 0x800.
        byte[] bytes = new byte[128];
        Hex("0650001e000000000000000000000000 11000000000000004e05000000000000 0f000100000000000000000000000000 00000000000000000000000000000000 d09662d5ffffffff0000802b00000000").CopyTo(bytes, 0);
        BlockRef bref = MemoryMarshal.Read<BlockRef>(bytes);
        Assert.AreEqual(BlockRefType.FreemapLeaf, bref.Type);
        Assert.AreEqual(CheckMethod.Freemap, bref.CheckMethod);
        Assert.AreEqual(30, bref.KeyBits);
        Assert.AreEqual((1UL << 30) - 1, bref.LastKey);
        Assert.AreEqual((0x10000UL, 32768), (bref.Physical.Offset, bref.Physical.Bytes));
        Assert.AreEqual(0xD56296D0u, bref.Check32);
        Assert.AreEqual(uint.MaxValue, bref.FreemapBigMask);
        Assert.AreEqual(0x2B800000UL, bref.FreemapAvail);
    }

    [TestMethod]
    public void DirentReadsAsItsWorkedBytes()
    {
        // Annex A.3.
        byte[] bytes = new byte[128];
        Hex("0430000000000000018087447a6afdae 1100000000000000fa02000000000000 00000000000000000000000000000000 0f040000000000000700020000000000 74696e7935313200").CopyTo(bytes, 0);
        BlockRef bref = MemoryMarshal.Read<BlockRef>(bytes);
        Assert.AreEqual(BlockRefType.Dirent, bref.Type);
        Assert.AreEqual(DirectoryHash.Compute("tiny512"u8) + 1, bref.Key, "T4: the key is not the hash");
        Assert.AreEqual((0x40FUL, (ushort)7, ObjectType.File), (bref.DirentInode, bref.DirentNameLength, bref.DirentType));
        Assert.IsFalse(bref.Physical.HasData);
        Assert.AreEqual("tiny512", Encoding.ASCII.GetString(BlockRef.CheckBytes(bref)[..7]));
    }

    [TestMethod]
    public void InodeReadsAsItsWorkedBytes()
    {
        // Annex A.2.
        byte[] block = new byte[1024];
        block[0] = 1;
        Hex("ec3e43bddf600600ec3e43bddf600600").CopyTo(block, 0x10);
        Hex("02010000a40100000f04000000000000").CopyTo(block, 0x50);
        Hex("00020000000000000100000000000000").CopyTo(block, 0x60);
        Hex("01000000000000000f04000000000000").CopyTo(block, 0x70);
        Hex("120000020003").CopyTo(block, 0x80);
        Encoding.ASCII.GetBytes("0x000000000000040f").CopyTo(block, 0x100);
        block.AsSpan(0x200, 512).Fill((byte)'A');
        Assert.AreEqual(InodeData.Bytes, Unsafe.SizeOf<InodeData>());
        InodeData data = MemoryMarshal.Read<InodeData>(block);
        Assert.AreEqual(1, data.Version);
        Assert.AreEqual(0x000660DFBD433EECL, data.ChangeTime);
        Assert.AreEqual(data.ChangeTime, data.ModifyTime);
        Assert.AreEqual((ObjectType.File, true, 0x1A4u, 0x40FUL), (data.Type, data.IsDirectData, data.Mode, data.InodeNumber));
        Assert.AreEqual((512UL, 1UL, 1UL, 0x40FUL), (data.Size, data.LinkCount, data.ParentInode, data.NameKey));
        Assert.AreEqual((18, 2, 3), ((int)data.NameLength, (int)data.CompressionSetting, (int)data.CheckSetting));
        Assert.AreEqual(0x16539108E0D58869UL, Checks.XxHash(block), "the reference's check code of these 1024 bytes");
    }

    [TestMethod]
    public void EveryInodeFieldLiesWhereTheFormatSaysIt()
    {
        (string Name, int Offset)[] fields =
        [
            (nameof(InodeData.Version), 0), (nameof(InodeData.PfsSubtype), 3), (nameof(InodeData.UserFlags), 4), (nameof(InodeData.DeviceMajor), 8),
            (nameof(InodeData.DeviceMinor), 0xC), (nameof(InodeData.ChangeTime), 0x10), (nameof(InodeData.ModifyTime), 0x18), (nameof(InodeData.AccessTime), 0x20),
            (nameof(InodeData.BirthTime), 0x28), (nameof(InodeData.Uid), 0x30 + 12), (nameof(InodeData.Gid), 0x40 + 12), (nameof(InodeData.Type), 0x50),
            (nameof(InodeData.OpFlags), 0x51), (nameof(InodeData.CapFlags), 0x52), (nameof(InodeData.Mode), 0x54), (nameof(InodeData.InodeNumber), 0x58),
            (nameof(InodeData.Size), 0x60), (nameof(InodeData.LinkCount), 0x68), (nameof(InodeData.ParentInode), 0x70), (nameof(InodeData.NameKey), 0x78),
            (nameof(InodeData.NameLength), 0x80), (nameof(InodeData.CopyCount), 0x82), (nameof(InodeData.CompressionSetting), 0x83), (nameof(InodeData.CheckSetting), 0x85),
            (nameof(InodeData.PfsMasters), 0x86), (nameof(InodeData.PfsType), 0x87), (nameof(InodeData.PfsNextInode), 0x88), (nameof(InodeData.PfsClusterId), 0x90),
            (nameof(InodeData.PfsFileSystemId), 0xA0), (nameof(InodeData.DataQuota), 0xB0), (nameof(InodeData.InodeQuota), 0xC0),
            (nameof(InodeData.PfsLastSnapshotTid), 0xD0), (nameof(InodeData.DecryptCheck), 0xE0),
        ];
        foreach ((string name, int offset) in fields)
            Assert.AreEqual(offset, (int)Marshal.OffsetOf<InodeData>(name), name);
        Assert.HasCount(fields.Length, typeof(InodeData).GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public));
    }

    [TestMethod]
    public void FreemapRecordReadsAsItsWorkedBytes()
    {
        // Annex A.6, record 82: 40 blocks of 16 KiB with inodes.
        byte[] bytes = new byte[FreemapBitmap.Bytes];
        Hex("00c409001001").CopyTo(bytes, 0);
        Hex("00003600").CopyTo(bytes, 0x1C);
        bytes.AsSpan(0x40, 10).Fill(0xFF);
        Assert.AreEqual(FreemapBitmap.Bytes, Unsafe.SizeOf<FreemapBitmap>());
        FreemapBitmap record = MemoryMarshal.Read<FreemapBitmap>(bytes);
        Assert.AreEqual((0x9C400, (ushort)0x0110, 0x360000u), (record.Linear, record.Class, record.Avail));
        int used = Enumerable.Range(0, FreemapBitmap.States).Count(b => record.StateOf(b) == FreemapState.Allocated);
        Assert.AreEqual(40, used);
        Assert.AreEqual(0x360000u, (uint)(4 << 20) - (uint)used * 16384);
        Assert.AreEqual(FreemapState.Allocated, record.StateOf(39));
        Assert.AreEqual(FreemapState.Free, record.StateOf(40));

        // Both halves of a word count: states 16 to 31 lie in its upper half.
        bytes.AsSpan(0x40, 64).Clear();
        bytes[0x40 + 7] = 0b10_01_00_00;
        record = MemoryMarshal.Read<FreemapBitmap>(bytes);
        Assert.AreEqual(FreemapState.Reserved, record.StateOf(30));
        Assert.AreEqual(FreemapState.PossiblyFree, record.StateOf(31));
        Assert.AreEqual(FreemapState.Free, record.StateOf(14));
    }

    [TestMethod]
    public void VolumeHeaderReadsAsItsWorkedBytes()
    {
        // Annex A.1.
        byte[] h = new byte[FormatLimits.VolumeHeaderBytes];
        Hex("11201705324d4148 0000400000000000 0000400400000000 0000400400000000 0000401400000000 0000000002000000 0200000000000000 0000030001000000").CopyTo(h, 0);
        Hex("3e3873e460854ad08e19e942769b7c7a d19abb5c2d86dc11a94d01301bb8a9f5 000000ea0100000000403de701000000 000c4014000000001100000000000000").CopyTo(h, 0x40);
        h[0x90] = 0x11;
        h[0xC4] = 2;
        h.AsSpan(0xE08, 63 * 8).Fill(0xFF);
        Hex("0131ff000a0001000000000000000000 1100000000000000c513000000000000 0ac08914000000000000000000000000 0060c102000000006e02000000000000 243d4bd4c178bbe9").CopyTo(h, 0x200);
        Hex("0650001e000000000000000000000000 11000000000000004e05000000000000 0f000100000000000000000000000000").CopyTo(h, 0x800);
        Hex("d09662d5ffffffff0000802b00000000").CopyTo(h, 0x840);
        VolumeHeader.Seal(h);
        Assert.AreEqual(HeaderFault.None, VolumeHeader.Parse(h, out VolumeHeader? header));
        Assert.AreEqual(0xB27E42AAu, header!.Sector1Crc, "the reference's own CRC of sector 1");
        Assert.AreEqual(0x5746E374u, header.Sector0Crc, "the reference's own CRC of sector 0");
        Assert.AreEqual((4UL << 20, 68UL << 20, 68UL << 20, 0x14400000UL), (header.BootBegin, header.BootEnd, header.AuxBegin, header.AuxEnd));
        Assert.AreEqual((8UL << 30, 2u, 0u), (header.VolumeSize, header.Version, header.Flags));
        Assert.AreEqual((0, 0, 3, 0, 1), ((int)header.CopyId, (int)header.FreemapVersion, (int)header.PeerType, (int)header.VolumeId, (int)header.VolumeCount));
        Assert.AreEqual(new Guid("e473383e-8560-d04a-8e19-e942769b7c7a"), header.FileSystemId);
        Assert.AreEqual(VolumeHeader.HammerType, header.FileSystemType, "T15: the bytes of a UUID are little endian");
        Assert.AreEqual((0x1EA000000UL, 0x1E73D4000UL, 0x14400C00UL), (header.AllocatorSize, header.AllocatorFree, header.AllocatorBegin));
        Assert.AreEqual((0x11UL, 0x11UL, 0UL, 8UL << 30), (header.MirrorTid, header.FreemapTid, header.BulkfreeTid, header.TotalSize));
        Assert.AreEqual((8UL << 30, 0UL, ulong.MaxValue, ulong.MaxValue), (header.LogicalSize, header.VolumeOffset(0), header.VolumeOffset(1), header.VolumeOffset(63)));
        Assert.AreEqual(BlockRefType.Inode, header.SuperRoot[0].Type);
        Assert.AreEqual(BlockRefType.FreemapLeaf, header.Freemap[0].Type);
        Assert.AreEqual(4, header.SuperRoot.Length);
    }

    [TestMethod]
    public void AddressesKeepTheirOffsetWhateverTheirSize()
    {
        // T1: a 2 KiB block at an odd multiple of 1 KiB.
        var at = new PhysicalOffset(0x1781040B);
        Assert.AreEqual((0x17810400UL, 11, 2048), (at.Offset, at.Radix, at.Bytes));
        Assert.IsTrue(at.IsLegal);

        // T2: radix 0 is no data, not one byte.
        var none = new PhysicalOffset(0);
        Assert.IsFalse(none.HasData);
        Assert.AreEqual(0, none.Bytes);
        Assert.IsFalse(none.IsLegal);
        Assert.AreEqual("0x17810400/11", at.ToString());
    }

    [TestMethod]
    [DataRow(0x10000UL | 16, true)]
    [DataRow(0x1FC00UL | 10, true)]
    [DataRow(0x1FC00UL | 11, false)]
    [DataRow(0x18000UL | 15, true)]
    [DataRow(0x18000UL | 16, false)]
    [DataRow(0x10400UL | 15, true)]
    [DataRow(0x10200UL | 10, false)]
    [DataRow(0x10000UL | 9, false)]
    [DataRow(0x10000UL | 17, false)]
    [DataRow(0x10000UL | 31, false)]
    [DataRow(0x10000UL | 32, false)]
    [DataRow(0x10000UL | 63, false)]
    public void LegalAddressesAreTold(ulong raw, bool legal) => Assert.AreEqual(legal, new PhysicalOffset(raw).IsLegal);

    [TestMethod]
    public void KeyRangesEndWhereTheyShould()
    {
        Assert.AreEqual(5UL, new BlockRef { Key = 5 }.LastKey);
        Assert.AreEqual(0x1FFFFUL, new BlockRef { Key = 0x10000, KeyBits = 16 }.LastKey);
        Assert.AreEqual(ulong.MaxValue, new BlockRef { Key = 1UL << 63, KeyBits = 63 }.LastKey);
        Assert.AreEqual(ulong.MaxValue, new BlockRef { KeyBits = 64 }.LastKey);
        Assert.AreEqual(ulong.MaxValue, new BlockRef { KeyBits = 255 }.LastKey);
    }

    [TestMethod]
    public void MediaTimesConvertAndClamp()
    {
        Assert.AreEqual(DateTime.UnixEpoch, MediaTime.ToUtc(0));
        Assert.AreEqual(DateTimeKind.Utc, MediaTime.ToUtc(0).Kind);
        Assert.AreEqual(DateTime.UnixEpoch.AddTicks(-10), MediaTime.ToUtc(-1));
        Assert.AreEqual(new DateTime(1901, 2, 3, 4, 5, 6, DateTimeKind.Utc), MediaTime.ToUtc(MediaTime.FromUtc(new DateTime(1901, 2, 3, 4, 5, 6, DateTimeKind.Utc))));
        Assert.AreEqual(DateTime.MinValue, MediaTime.ToUtc(long.MinValue));
        Assert.AreEqual(9999, MediaTime.ToUtc(long.MaxValue).Year);
        Assert.AreEqual(DateTime.MinValue, MediaTime.ToUtc(MediaTime.FromUtc(DateTime.MinValue)));
        Assert.IsLessThan(10L, (DateTime.MaxValue - MediaTime.ToUtc(MediaTime.FromUtc(DateTime.MaxValue))).Ticks);
        foreach ((long ticks, long us) in new[] { (0L, 0L), (9L, 0L), (10L, 1L), (-1L, -1L), (-10L, -1L), (-11L, -2L) })
            Assert.AreEqual(us, MediaTime.FromUtc(DateTime.UnixEpoch.AddTicks(ticks)), $"{ticks} ticks");
    }

    [TestMethod]
    public void NamesOfNumbersAreTheOnesThatCommandsPrint()
    {
        Assert.AreEqual("none disabled iscsi32 xxhash64 sha192 freemap 6 (unknown)", string.Join(' ', Enumerable.Range(0, 7).Select(i => MethodNames.Of((CheckMethod)i))));
        Assert.AreEqual("none autozero lz4 zlib 4 (unknown)", string.Join(' ', Enumerable.Range(0, 5).Select(i => MethodNames.Of((CompressionMethod)i))));
        Assert.AreEqual("empty inode indirect data dirent freemap-node freemap-leaf invalid 8 (unknown)", string.Join(' ', Enumerable.Range(0, 9).Select(i => MethodNames.Of((BlockRefType)i))));
        Assert.AreEqual("254 (unknown)", MethodNames.Of((BlockRefType)254));
        Assert.AreEqual("0 (unknown) dir file 3 (unknown) fifo chardev blockdev symlink 8 (unknown) socket whiteout 11 (unknown)", string.Join(' ', Enumerable.Range(0, 12).Select(i => MethodNames.Of((ObjectType)i))));
        CollectionAssert.AreEqual(new[] { 1, 2, 4, 5, 6, 7, 9, 10 }, Enumerable.Range(0, 256).Where(i => MethodNames.IsKnown((ObjectType)i)).ToArray());
    }

    [TestMethod]
    public void MessagesAreOneLine() => Assert.AreEqual("a?b??c\u00e9", new Hammer2Exception(Hammer2Error.Io, "a\nb\r\u009bc\u00e9").Message);
}
