// Proves that whatever bytes arrive, the dispatcher answers with one valid reply or none, and lives on.
// Layers: Fuse.Sessions, without a kernel.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Serving;
using Hammer2.Fuse.Sessions;
using Hammer2.Tests.Images;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class DispatcherTests : IDisposable
{
    private readonly FakeFileSystem _fileSystem = new();
    private readonly FuseReply _reply = new(1 << 20);
    private FuseDispatcher _dispatcher = null!;

    [TestInitialize]
    public void Prepare() => _dispatcher = new FuseDispatcher(_fileSystem, new FuseDispatcherOptions(), NullLogger.Instance);

    public void Dispose()
    {
        _reply.Dispose();
        _fileSystem.Dispose();
    }

    [TestMethod]
    public void Init_negotiates_large_reads_and_the_wanted_flags()
    {
        var answer = Answer<FuseInitOut>(Initialization(7, 44, uint.MaxValue));
        Assert.AreEqual(7u, answer.Major);
        Assert.AreEqual(FuseProtocol.Minor, answer.Minor);
        Assert.AreEqual((1 << 20) / Environment.SystemPageSize, answer.MaxPages);
        Assert.AreEqual(1u << 20, answer.MaxReadAhead);
        foreach (var flag in (FuseInitFlags[])[FuseInitFlags.AsyncRead, FuseInitFlags.ParallelDirectoryOperations, FuseInitFlags.MaxPages,
                     FuseInitFlags.ReadDirectoryPlus, FuseInitFlags.ReadDirectoryPlusAuto, FuseInitFlags.CacheSymlinks])
        {
            Assert.IsTrue(answer.Flags.HasFlag(flag), flag.ToString());
        }

        Assert.IsTrue(_dispatcher.Initialized.IsCompletedSuccessfully);
    }

    [TestMethod]
    public void Init_offers_nothing_the_kernel_does_not_know()
    {
        var answer = Answer<FuseInitOut>(Initialization(7, 31, (uint)FuseInitFlags.AsyncRead));
        Assert.AreEqual(FuseInitFlags.AsyncRead, answer.Flags);
        Assert.AreEqual(31u, answer.Minor);
    }

    [TestMethod]
    public void Init_of_a_newer_major_names_ours_and_waits_for_another()
    {
        var answer = Answer<FuseInitOut>(Initialization(8, 1, uint.MaxValue));
        Assert.AreEqual(7u, answer.Major);
        Assert.IsFalse(_dispatcher.Initialized.IsCompleted);
    }

    [TestMethod]
    [DataRow(7u, 30u)]
    [DataRow(6u, 99u)]
    public void Init_of_an_old_kernel_is_refused(uint major, uint minor) =>
        Assert.AreEqual(-Errno.EPROTO, ErrorOf(Initialization(major, minor, uint.MaxValue)));

    [TestMethod]
    public void A_name_that_does_not_exist_is_remembered_by_the_kernel()
    {
        var entry = Answer<FuseEntryOut>(Request(FuseOpcode.Lookup, 1, "nothing\0"u8));
        Assert.AreEqual(0ul, entry.NodeId);
        Assert.AreEqual(3600ul, entry.EntryValidSeconds);
    }

    [TestMethod]
    public void Names_must_end_inside_the_request_and_hold_no_slash()
    {
        Assert.AreEqual(-Errno.EINVAL, ErrorOf(Request(FuseOpcode.Lookup, 1, "file"u8)));
        Assert.AreEqual(-Errno.EINVAL, ErrorOf(Request(FuseOpcode.Lookup, 1, "\0"u8)));
        Assert.AreEqual(-Errno.EINVAL, ErrorOf(Request(FuseOpcode.Lookup, 1, "a/b\0"u8)));
        Assert.AreEqual(-Errno.EINVAL, ErrorOf(Request(FuseOpcode.Lookup, 1, [])));
    }

    [TestMethod]
    [DataRow((uint)FuseOpcode.Read)]
    [DataRow((uint)FuseOpcode.ReadDirectory)]
    [DataRow((uint)FuseOpcode.ReadDirectoryPlus)]
    [DataRow((uint)FuseOpcode.Open)]
    [DataRow((uint)FuseOpcode.OpenDirectory)]
    [DataRow((uint)FuseOpcode.Release)]
    [DataRow((uint)FuseOpcode.ReleaseDirectory)]
    [DataRow((uint)FuseOpcode.Access)]
    [DataRow((uint)FuseOpcode.Init)]
    public void A_truncated_request_is_invalid(uint opcode)
    {
        for (var length = 0; length < 8; length++)
            Assert.AreEqual(-Errno.EINVAL, ErrorOf(Request((FuseOpcode)opcode, 2, new byte[length])), $"{length} bytes");
    }

    [TestMethod]
    public void A_message_that_is_no_request_gets_no_reply()
    {
        var request = Request(FuseOpcode.GetAttributes, 1, new byte[16]);
        for (var length = 0; length < 40; length++)
            Assert.IsTrue(_dispatcher.Dispatch(request.AsSpan(0, length), _reply).IsEmpty, $"{length} bytes");
        Assert.IsTrue(_dispatcher.Dispatch(request.AsSpan(0, 48), _reply).IsEmpty, "shorter than its length field");
        Assert.IsTrue(_dispatcher.Dispatch(new byte[4096], _reply).IsEmpty, "longer than its length field");
    }

    [TestMethod]
    public void A_read_larger_than_the_buffer_is_cut_to_it()
    {
        var read = new FuseReadIn { Handle = FakeFileSystem.FileNode, Offset = 4096, Size = uint.MaxValue };
        var answer = _dispatcher.Dispatch(Request(FuseOpcode.Read, FakeFileSystem.FileNode, Bytes(read)), _reply);
        Assert.AreEqual(16 + (1 << 20), answer.Length);
        Assert.AreEqual(FakeFileSystem.PatternAt(4096), answer[16]);
    }

    [TestMethod]
    public void On_a_read_only_mount_nothing_that_changes_reaches_the_filesystem()
    {
        using var memory = new MemoryFileSystem();
        var dispatcher = new FuseDispatcher(memory, new FuseDispatcherOptions { ReadOnly = true }, NullLogger.Instance);
        foreach (var opcode in Enum.GetValues<FuseOpcode>())
        {
            var expected = opcode switch
            {
                FuseOpcode.SetAttributes or FuseOpcode.SymbolicLink or FuseOpcode.MakeNode or FuseOpcode.MakeDirectory or FuseOpcode.Unlink
                    or FuseOpcode.RemoveDirectory or FuseOpcode.Rename or FuseOpcode.Rename2 or FuseOpcode.Link or FuseOpcode.Write
                    or FuseOpcode.Create or FuseOpcode.FAllocate or FuseOpcode.CopyFileRange or FuseOpcode.CopyFileRange64 => -Errno.EROFS,
                _ => 1,
            };
            if (expected != 1)
                Assert.AreEqual(expected, ErrorOf(dispatcher, Request(opcode, 1, new byte[64])), opcode.ToString());
        }

        foreach (var access in (uint[])[1, 2, 3])
            Assert.AreEqual(-Errno.EROFS, ErrorOf(dispatcher, Request(FuseOpcode.Open, 1, Bytes(new FuseOpenIn { Flags = access }))));
        Assert.AreEqual(0, ErrorOf(dispatcher, Request(FuseOpcode.Open, 1, Bytes(new FuseOpenIn()))));
    }

    [TestMethod]
    public void The_unknown_is_not_implemented_so_that_the_kernel_stops_asking()
    {
        foreach (var opcode in (FuseOpcode[])[FuseOpcode.GetXattr, FuseOpcode.ListXattr, FuseOpcode.SetXattr, FuseOpcode.RemoveXattr,
                     FuseOpcode.Flush, FuseOpcode.LSeek, FuseOpcode.Poll, FuseOpcode.BMap, FuseOpcode.SetLock, FuseOpcode.TemporaryFile])
        {
            Assert.AreEqual(-Errno.ENOSYS, ErrorOf(Request(opcode, 2, new byte[64])), opcode.ToString());
        }

        foreach (var unknown in (uint[])[0, 7, 19, 54, 63, 64, 4096, uint.MaxValue])
            Assert.AreEqual(-Errno.ENOSYS, ErrorOf(Request((FuseOpcode)unknown, 2, new byte[64])), $"{unknown}");
        Assert.AreEqual(-Errno.EROFS, ErrorOf(Request(FuseOpcode.Open, 2, Bytes(new FuseOpenIn { Flags = 2 }))));
    }

    [TestMethod]
    public void Forget_and_interrupt_get_no_reply()
    {
        foreach (var opcode in (FuseOpcode[])[FuseOpcode.Forget, FuseOpcode.BatchForget, FuseOpcode.Interrupt, FuseOpcode.NotifyReply])
        {
            Assert.IsTrue(_dispatcher.Dispatch(Request(opcode, 2, new byte[16]), _reply).IsEmpty, opcode.ToString());
            Assert.IsTrue(_dispatcher.Dispatch(Request(opcode, 2, []), _reply).IsEmpty, opcode.ToString());
        }
    }

    [TestMethod]
    public void An_exception_becomes_an_io_error()
    {
        var read = new FuseReadIn { Handle = FakeFileSystem.ThrowingNode, Size = 4096 };
        Assert.AreEqual(-Errno.EIO, ErrorOf(Request(FuseOpcode.Read, FakeFileSystem.ThrowingNode, Bytes(read))));
        Assert.AreEqual(-Errno.EIO, ErrorOf(Request(FuseOpcode.ReadLink, 2, [])));
    }

    [TestMethod]
    public void A_refusing_dispatcher_asks_the_filesystem_nothing_any_more()
    {
        Assert.IsTrue(_dispatcher.Refuse(TimeSpan.FromSeconds(10)));
        Assert.AreEqual(-Errno.EIO, ErrorOf(Request(FuseOpcode.Open, 2, new byte[8])));
        Assert.AreEqual(0, ErrorOf(Request(FuseOpcode.Release, 2, new byte[24])));
        Assert.IsTrue(_dispatcher.Dispatch(Request(FuseOpcode.Forget, 2, new byte[8]), _reply).IsEmpty);
        Assert.AreEqual(0, _fileSystem.OpenHandles);
    }

    [TestMethod]
    public void Random_messages_never_break_it()
    {
        const int Seed = 20240607;
        var random = new Random(Seed);
        for (var round = 0; round < 50_000; round++)
        {
            var body = new byte[random.Next(0, 200)];
            random.NextBytes(body);
            var opcode = (FuseOpcode)random.Next(0, 60);
            var message = Request(opcode, (ulong)random.Next(0, 6), body);
            // Handle 4 waits for the test; the others may have any number.
            if (opcode == FuseOpcode.Read && body.Length >= 8)
                message[40] = (byte)FakeFileSystem.FileNode;
            var answer = _dispatcher.Dispatch(message, _reply);
            if (answer.IsEmpty)
                continue;
            Assert.AreEqual((uint)answer.Length, BinaryPrimitives.ReadUInt32LittleEndian(answer), $"seed {Seed}, round {round}, {opcode}");
            Assert.AreEqual(77ul, BinaryPrimitives.ReadUInt64LittleEndian(answer[8..]), $"seed {Seed}, round {round}, {opcode}");
        }
    }

    [TestMethod]
    public void Random_messages_never_break_the_engine_behind_it()
    {
        const int Seed = 977;
        var random = new Random(Seed);
        var image = GoldenImages.Get("names");
        using var volume = GoldenMountTests.OpenVolume(image);
        using var pfs = volume.OpenPfs(image.Label);
        using var fileSystem = new Hammer2FileSystem(pfs, default, TimeSpan.Zero, NullLogger.Instance);
        var dispatcher = new FuseDispatcher(fileSystem, new FuseDispatcherOptions(), NullLogger.Instance);
        var nodes = image.Manifest.GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("inum").GetUInt64()).ToArray();
        for (var round = 0; round < 30_000; round++)
        {
            var body = new byte[random.Next(0, 64)];
            random.NextBytes(body);
            // Small handles exist once something was opened; read-only flags let opening succeed.
            if (body.Length >= 8)
                BinaryPrimitives.WriteUInt64LittleEndian(body, (ulong)random.Next(0, 40) << 2);
            var node = random.Next(8) == 0 ? (ulong)random.NextInt64() : nodes[random.Next(nodes.Length)];
            var answer = dispatcher.Dispatch(Request((FuseOpcode)random.Next(0, 54), node, body), _reply);
            if (!answer.IsEmpty)
                Assert.AreEqual((uint)answer.Length, BinaryPrimitives.ReadUInt32LittleEndian(answer), $"seed {Seed}, round {round}");
        }

        fileSystem.Dispose();
        Assert.AreEqual(0, pfs.OpenInodes, "every vnode is closed");
    }

    [TestMethod]
    public void Requests_are_counted_by_kind()
    {
        _ = ErrorOf(Request(FuseOpcode.GetAttributes, 1, new byte[16]));
        _ = ErrorOf(Request(FuseOpcode.GetAttributes, 1, new byte[16]));
        Assert.AreEqual(2, _dispatcher.CountOf(FuseOpcode.GetAttributes));
        Assert.AreEqual(0, _dispatcher.CountOf(FuseOpcode.Read));
    }

    internal static byte[] Request(FuseOpcode opcode, ulong node, ReadOnlySpan<byte> body)
    {
        var message = new byte[Unsafe.SizeOf<FuseInHeader>() + body.Length];
        var header = new FuseInHeader { Length = (uint)message.Length, Opcode = opcode, Unique = 77, NodeId = node };
        MemoryMarshal.Write(message, header);
        body.CopyTo(message.AsSpan(Unsafe.SizeOf<FuseInHeader>()));
        return message;
    }

    internal static byte[] Bytes<T>(T value) where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    private static byte[] Initialization(uint major, uint minor, uint flags) => Request(FuseOpcode.Init, 0,
        Bytes(new FuseInitIn { Major = major, Minor = minor, MaxReadAhead = 131072, Flags = (FuseInitFlags)flags }));

    private int ErrorOf(byte[] request) => ErrorOf(_dispatcher, request);

    private int ErrorOf(FuseDispatcher dispatcher, byte[] request)
    {
        var answer = dispatcher.Dispatch(request, _reply);
        Assert.IsGreaterThanOrEqualTo(16, answer.Length);
        var error = BinaryPrimitives.ReadInt32LittleEndian(answer[4..]);
        if (error != 0)
            Assert.AreEqual(16, answer.Length, "an error has no payload");
        return error;
    }

    private T Answer<T>(byte[] request) where T : unmanaged
    {
        var answer = _dispatcher.Dispatch(request, _reply);
        Assert.AreEqual(0, BinaryPrimitives.ReadInt32LittleEndian(answer[4..]));
        Assert.AreEqual(16 + Unsafe.SizeOf<T>(), answer.Length);
        return MemoryMarshal.Read<T>(answer[16..]);
    }
}
