// Proves the conversions of attributes, errors and handles at their edges.
// Layers: Fuse.Serving, Fuse.Errno.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Serving;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class ConversionTests
{
    [TestMethod]
    [DataRow(0L, 0L, 0u)]
    [DataRow(1L, 0L, 1000u)]
    [DataRow(-1L, -1L, 999_999_000u)]
    [DataRow(-1_000_000L, -1L, 0u)]
    [DataRow(-1_000_001L, -2L, 999_999_000u)]
    [DataRow(-11_644_473_600_000_000L, -11_644_473_600L, 0u)]
    [DataRow(long.MaxValue, 9_223_372_036_854L, 775_807_000u)]
    [DataRow(long.MinValue, -9_223_372_036_855L, 224_192_000u)]
    public void Times_before_1970_are_floored(long microseconds, long seconds, uint nanoseconds) =>
        Assert.AreEqual((seconds, nanoseconds), AttributeConversion.Split(microseconds));

    [TestMethod]
    public void Device_numbers_are_packed_as_the_kernel_unpacks_them()
    {
        foreach (var (major, minor) in ((uint, uint)[])[(1, 3), (255, 20004), (8, 17), (4095, 0xFFFFF), (0, 0)])
        {
            var packed = AttributeConversion.Device(major, minor);
            Assert.AreEqual(major, (packed & 0xFFF00) >> 8);
            Assert.AreEqual(minor, (packed & 0xFF) | ((packed >> 12) & 0xFFF00));
        }
    }

    [TestMethod]
    public void Modes_join_type_and_permissions()
    {
        Assert.AreEqual(0x41EDu, AttributeConversion.Mode(new InodeAttributes { Type = ObjectType.Directory, Mode = 0x1ED }));
        Assert.AreEqual(0x8FFFu, AttributeConversion.Mode(new InodeAttributes { Type = ObjectType.File, Mode = 0xFFF }));
        Assert.AreEqual(0xA1FFu, AttributeConversion.Mode(new InodeAttributes { Type = ObjectType.Symlink, Mode = 0x1FF }));
        Assert.AreEqual(0x81A4u, AttributeConversion.Mode(new InodeAttributes { Type = ObjectType.File, Mode = 0x71A4 }));
    }

    [TestMethod]
    public void Attributes_are_filled_with_owners_replaced_on_demand()
    {
        var from = new InodeAttributes
        {
            InodeNumber = 9,
            Type = ObjectType.File,
            Mode = 0x1A4,
            Uid = 5,
            Gid = 6,
            Size = 100,
            LinkCount = ulong.MaxValue,
            ModifyTimeUs = -1,
            ChangeTimeUs = 2_000_001,
            AllocatedBytes = 65536,
        };
        var to = default(FuseAttributes);
        AttributeConversion.Fill(from, default, ref to);
        Assert.AreEqual((9ul, 100ul, 128ul, uint.MaxValue), (to.Inode, to.Size, to.Blocks, to.LinkCount));
        Assert.AreEqual((5u, 6u), (to.Uid, to.Gid));
        Assert.AreEqual((-1L, 999_999_000u, 2L, 1000u), (to.ModifySeconds, to.ModifyNanoseconds, to.ChangeSeconds, to.ChangeNanoseconds));
        Assert.AreEqual(-1L, to.AccessSeconds, "an access time that was never set shows the modification time");
        AttributeConversion.Fill(from, new FuseOwners(1000, null), ref to);
        Assert.AreEqual((1000u, 6u), (to.Uid, to.Gid));
    }

    [TestMethod]
    public void Statx_has_a_birth_time_only_if_the_medium_has_one()
    {
        var from = new InodeAttributes { InodeNumber = 9, Type = ObjectType.File, Mode = 0x1A4 };
        var to = default(FuseStatx);
        AttributeConversion.Fill(from, default, ref to);
        Assert.AreEqual(FuseStatx.MaskBasic, to.Mask);
        from.BirthTimeUs = -1;
        AttributeConversion.Fill(from, default, ref to);
        Assert.AreEqual(FuseStatx.MaskBasic | FuseStatx.MaskBirthTime, to.Mask);
        Assert.AreEqual((-1L, 999_999_000u), (to.BirthTime.Seconds, to.BirthTime.Nanoseconds));
    }

    [TestMethod]
    public void Every_error_has_an_errno_and_damage_is_an_io_error()
    {
        foreach (var error in Enum.GetValues<Hammer2Error>())
            Assert.AreEqual(error == Hammer2Error.None, Errno.From(error) == 0, error.ToString());
        foreach (var error in (Hammer2Error[])[Hammer2Error.CheckFailed, Hammer2Error.Corrupt, Hammer2Error.Io])
            Assert.AreEqual(Errno.EIO, Errno.From(error), error.ToString());
        Assert.AreEqual(Errno.ENOENT, Errno.From(Hammer2Error.NotFound));
        Assert.AreEqual(Errno.ENAMETOOLONG, Errno.From(Hammer2Error.NameTooLong));
        Assert.AreEqual(Errno.EROFS, Errno.From(Hammer2Error.ReadOnly));
    }

    [TestMethod]
    public void Outcomes_of_changes_have_their_own_errno()
    {
        Assert.AreEqual(Errno.EEXIST, Errno.From(Hammer2Error.Exists));
        Assert.AreEqual(Errno.ENOTEMPTY, Errno.From(Hammer2Error.NotEmpty));
        Assert.AreEqual(Errno.ENOSPC, Errno.From(Hammer2Error.NoSpace));
        Assert.AreEqual(Errno.EFBIG, Errno.From(Hammer2Error.FileTooLarge));
        Assert.AreEqual(Errno.EMLINK, Errno.From(Hammer2Error.TooManyLinks));
        Assert.AreEqual(Errno.EPERM, Errno.From(Hammer2Error.NotPermitted));
        Assert.AreEqual(Errno.EBUSY, Errno.From(Hammer2Error.InUse));
    }

    [TestMethod]
    public void What_the_kernel_sends_is_what_it_was_shown()
    {
        foreach (var microseconds in (long[])[0, 1, -1, -1_000_000, -1_000_001, 1_700_000_000_123_456, -11_644_473_600_000_000])
        {
            var (seconds, nanoseconds) = AttributeConversion.Split(microseconds);
            Assert.AreEqual(microseconds, AttributeConversion.Join(seconds, nanoseconds));
        }

        Assert.IsGreaterThan(9_000_000_000_000_000_000, AttributeConversion.Join(long.MaxValue, 999_999_999));
        Assert.IsLessThan(-9_000_000_000_000_000_000, AttributeConversion.Join(long.MinValue, 0));
        foreach (var (major, minor) in ((uint, uint)[])[(1, 3), (255, 20004), (8, 17), (4095, 0xFFFFF), (0, 0)])
            Assert.AreEqual((major, minor), AttributeConversion.DeviceOf(AttributeConversion.Device(major, minor)));
        foreach (var type in (ObjectType[])[ObjectType.File, ObjectType.Directory, ObjectType.Symlink, ObjectType.Fifo, ObjectType.Socket,
                     ObjectType.CharDevice, ObjectType.BlockDevice])
        {
            Assert.AreEqual(type, AttributeConversion.TypeOf(AttributeConversion.Mode(new InodeAttributes { Type = type, Mode = 0x1FF })));
        }

        Assert.AreEqual(ObjectType.File, AttributeConversion.TypeOf(0x1A4), "mknod without a type makes a file");
        Assert.IsNull(AttributeConversion.TypeOf(0x7000));
    }

    [TestMethod]
    public void Flags_of_chattr_are_those_of_chflags()
    {
        const uint NoDump = 1, UserImmutable = 2, UserAppend = 4, Opaque = 8, SystemImmutable = 0x20000, SystemAppend = 0x40000;
        Assert.AreEqual(0x70u, FileFlags.ToLinux(NoDump | UserImmutable | SystemAppend));
        Assert.AreEqual(0x10u, FileFlags.ToLinux(SystemImmutable));
        Assert.AreEqual(0x20u, FileFlags.ToLinux(UserAppend));
        Assert.AreEqual(SystemImmutable | Opaque, FileFlags.FromLinux(Opaque, 0x10));
        Assert.AreEqual(UserImmutable, FileFlags.FromLinux(UserImmutable, 0x10), "what is immutable stays as it is");
        Assert.AreEqual(Opaque, FileFlags.FromLinux(Opaque | NoDump | UserImmutable | SystemImmutable | UserAppend | SystemAppend, 0));
        Assert.AreEqual(NoDump | SystemAppend, FileFlags.FromLinux(0, 0x60));
    }

    [TestMethod]
    public void Handles_are_found_until_removed_and_then_reused()
    {
        var table = new HandleTable<string>();
        var handles = Enumerable.Range(0, 200).Select(i => table.Add($"{i}")).ToArray();
        Assert.AreEqual(200, handles.Distinct().Count());
        Assert.IsFalse(handles.Contains(0ul));
        for (var i = 0; i < 200; i++)
            Assert.AreEqual($"{i}", table.Find(handles[i]));
        foreach (var wrong in (ulong[])[0, 201, 1 << 20, ulong.MaxValue])
        {
            Assert.IsNull(table.Find(wrong));
            Assert.IsNull(table.Remove(wrong));
        }

        Assert.AreEqual("7", table.Remove(handles[7]));
        Assert.IsNull(table.Find(handles[7]));
        Assert.IsNull(table.Remove(handles[7]));
        Assert.AreEqual(handles[7], table.Add("again"));
        Assert.HasCount(200, table.RemoveAll());
        Assert.IsNull(table.Find(handles[0]));
    }
}
