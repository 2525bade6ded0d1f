// Proves that every FUSE structure has the size and the offsets of the kernel's, which only numbers can say.
// Layers: Fuse.Protocol.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class ProtocolLayoutTests
{
    [TestMethod]
    public void Structures_have_the_sizes_of_the_kernel()
    {
        Check<FuseInHeader>(40);
        Check<FuseOutHeader>(16);
        Check<FuseInitIn>(16);
        Check<FuseInitOut>(64);
        Check<FuseAttributes>(88);
        Check<FuseEntryOut>(128);
        Check<FuseGetAttributesIn>(16);
        Check<FuseAttributesOut>(104);
        Check<FuseStatxIn>(24);
        Check<FuseStatxTime>(16);
        Check<FuseStatx>(256);
        Check<FuseStatxOut>(288);
        Check<FuseStatFsOut>(80);
        Check<FuseForgetIn>(8);
        Check<FuseOpenIn>(8);
        Check<FuseOpenOut>(16);
        Check<FuseReadIn>(40);
        Check<FuseReleaseIn>(24);
        Check<FuseLSeekIn>(24);
        Check<FuseLSeekOut>(8);
        Check<FuseAccessIn>(8);
        Check<FuseDirent>(24);
        Check<FuseSetAttributesIn>(88);
        Check<FuseMakeNodeIn>(16);
        Check<FuseMakeDirectoryIn>(8);
        Check<FuseRenameIn>(8);
        Check<FuseRename2In>(16);
        Check<FuseLinkIn>(8);
        Check<FuseCreateIn>(16);
        Check<FuseCreateOut>(144);
        Check<FuseWriteIn>(40);
        Check<FuseWriteOut>(8);
        Check<FuseFSyncIn>(16);
        Check<FuseFAllocateIn>(32);
        Check<FuseCopyFileRangeIn>(56);
        Check<FuseCopyFileRangeOut>(8);
        Check<FuseIoControlIn>(32);
        Check<FuseIoControlOut>(48);
        Check<FuseExtendedFlags>(28);
        Check<FuseBatchForgetIn>(8);
        Check<FuseForgetOne>(16);
        Check<FuseDirentPlus>(152);
    }

    [TestMethod]
    public void Headers_have_the_offsets_of_the_kernel()
    {
        Offsets<FuseInHeader>(
            ("Length", 0), ("Opcode", 4), ("Unique", 8), ("NodeId", 16), ("Uid", 24), ("Gid", 28), ("Pid", 32), ("TotalExtensionLength", 36));
        Offsets<FuseOutHeader>(("Length", 0), ("Error", 4), ("Unique", 8));
        Offsets<FuseInitIn>(("Major", 0), ("Minor", 4), ("MaxReadAhead", 8), ("Flags", 12));
        Offsets<FuseInitOut>(
            ("Major", 0), ("Minor", 4), ("MaxReadAhead", 8), ("Flags", 12), ("MaxBackground", 16), ("CongestionThreshold", 18),
            ("MaxWrite", 20), ("TimeGranularity", 24), ("MaxPages", 28), ("MapAlignment", 30), ("Flags2", 32));
    }

    [TestMethod]
    public void Attributes_have_the_offsets_of_the_kernel()
    {
        Offsets<FuseAttributes>(
            ("Inode", 0), ("Size", 8), ("Blocks", 16), ("AccessSeconds", 24), ("ModifySeconds", 32), ("ChangeSeconds", 40),
            ("AccessNanoseconds", 48), ("ModifyNanoseconds", 52), ("ChangeNanoseconds", 56), ("Mode", 60), ("LinkCount", 64),
            ("Uid", 68), ("Gid", 72), ("Device", 76), ("BlockSize", 80), ("Flags", 84));
        Offsets<FuseEntryOut>(
            ("NodeId", 0), ("Generation", 8), ("EntryValidSeconds", 16), ("AttributesValidSeconds", 24),
            ("EntryValidNanoseconds", 32), ("AttributesValidNanoseconds", 36), ("Attributes", 40));
        Offsets<FuseAttributesOut>(("ValidSeconds", 0), ("ValidNanoseconds", 8), ("Attributes", 16));
        Offsets<FuseGetAttributesIn>(("Flags", 0), ("Handle", 8));
        Offsets<FuseStatFsOut>(
            ("Blocks", 0), ("BlocksFree", 8), ("BlocksAvailable", 16), ("Files", 24), ("FilesFree", 32), ("BlockSize", 40),
            ("NameLengthMax", 44), ("FragmentSize", 48));
        Offsets<FuseStatxIn>(("GetAttributesFlags", 0), ("Handle", 8), ("StatxFlags", 16), ("Mask", 20));
        Offsets<FuseStatxOut>(("ValidSeconds", 0), ("ValidNanoseconds", 8), ("Flags", 12), ("Statx", 32));
        Offsets<FuseStatx>(
            ("Mask", 0), ("BlockSize", 4), ("AttributeBits", 8), ("LinkCount", 16), ("Uid", 20), ("Gid", 24), ("Mode", 28),
            ("Inode", 32), ("Size", 40), ("Blocks", 48), ("AttributeBitsMask", 56), ("AccessTime", 64), ("BirthTime", 80),
            ("ChangeTime", 96), ("ModifyTime", 112), ("DeviceMajor", 128), ("DeviceMinor", 132), ("FileSystemMajor", 136),
            ("FileSystemMinor", 140));
    }

    [TestMethod]
    public void Messages_have_the_offsets_of_the_kernel()
    {
        Offsets<FuseOpenIn>(("Flags", 0), ("FuseFlags", 4));
        Offsets<FuseOpenOut>(("Handle", 0), ("Flags", 8), ("BackingId", 12));
        Offsets<FuseReadIn>(
            ("Handle", 0), ("Offset", 8), ("Size", 16), ("ReadFlags", 20), ("LockOwner", 24), ("Flags", 32), ("Padding", 36));
        Offsets<FuseReleaseIn>(("Handle", 0), ("Flags", 8), ("ReleaseFlags", 12), ("LockOwner", 16));
        Offsets<FuseLSeekIn>(("Handle", 0), ("Offset", 8), ("Whence", 16));
        Offsets<FuseAccessIn>(("Mask", 0));
        Offsets<FuseDirent>(("Inode", 0), ("Offset", 8), ("NameLength", 16), ("Type", 20));
        Offsets<FuseDirentPlus>(("Entry", 0), ("Dirent", 128));
    }

    [TestMethod]
    public void Changes_have_the_offsets_of_the_kernel()
    {
        Offsets<FuseSetAttributesIn>(
            ("Valid", 0), ("Handle", 8), ("Size", 16), ("LockOwner", 24), ("AccessSeconds", 32), ("ModifySeconds", 40), ("ChangeSeconds", 48),
            ("AccessNanoseconds", 56), ("ModifyNanoseconds", 60), ("ChangeNanoseconds", 64), ("Mode", 68), ("Uid", 76), ("Gid", 80));
        Offsets<FuseMakeNodeIn>(("Mode", 0), ("Device", 4), ("Mask", 8));
        Offsets<FuseMakeDirectoryIn>(("Mode", 0), ("Mask", 4));
        Offsets<FuseRename2In>(("NewDirectory", 0), ("Flags", 8));
        Offsets<FuseCreateIn>(("Flags", 0), ("Mode", 4), ("Mask", 8), ("FuseFlags", 12));
        Offsets<FuseCreateOut>(("Entry", 0), ("Opened", 128));
        Offsets<FuseWriteIn>(("Handle", 0), ("Offset", 8), ("Size", 16), ("WriteFlags", 20), ("LockOwner", 24), ("Flags", 32));
        Offsets<FuseFSyncIn>(("Handle", 0), ("SyncFlags", 8));
        Offsets<FuseFAllocateIn>(("Handle", 0), ("Offset", 8), ("Length", 16), ("Mode", 24));
        Offsets<FuseCopyFileRangeIn>(
            ("HandleIn", 0), ("OffsetIn", 8), ("NodeOut", 16), ("HandleOut", 24), ("OffsetOut", 32), ("Length", 40), ("Flags", 48));
        Offsets<FuseIoControlIn>(("Handle", 0), ("Flags", 8), ("Command", 12), ("Argument", 16), ("InSize", 24), ("OutSize", 28));
        Offsets<FuseIoControlOut>(("Result", 0), ("Flags", 4), ("InVectors", 8), ("OutVectors", 12), ("Value", 16), ("Extended", 16));
        Offsets<FuseForgetOne>(("NodeId", 0), ("LookupCount", 8));
    }

    private static void Check<T>(int size) where T : unmanaged
    {
        Assert.AreEqual(size, Unsafe.SizeOf<T>(), typeof(T).Name);
        Assert.AreEqual(size, Marshal.SizeOf<T>(), typeof(T).Name);
    }

    private static void Offsets<T>(params (string Field, int Offset)[] expected) where T : unmanaged
    {
        foreach (var (field, offset) in expected)
            Assert.AreEqual(offset, (int)Marshal.OffsetOf<T>(field), $"{typeof(T).Name}.{field}");
    }
}
