// Proves that requests of the steady state allocate nothing on the managed heap, from the bytes of the request to those
// of the reply.
// A LOOKUP opens its directory inside the engine, which costs a few small objects.
// Layers: Fuse.Sessions and Fuse.Serving over the engine, without a kernel.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Serving;
using Hammer2.Fuse.Sessions;
using Hammer2.Tests.Images;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class AllocationTests
{
    private const int Rounds = 200;

    [TestMethod]
    public void Getattr_read_and_readdirplus_allocate_nothing_and_lookup_little()
    {
        var image = GoldenImages.Get("small-mixed");
        using var volume = GoldenMountTests.OpenVolume(image);
        using var pfs = volume.OpenPfs(image.Label);
        using var fileSystem = new Hammer2FileSystem(pfs, default, TimeSpan.FromHours(1), NullLogger.Instance);
        using var reply = new FuseReply(1 << 20);
        var dispatcher = new FuseDispatcher(fileSystem, new FuseDispatcherOptions(), NullLogger.Instance);

        var entry = image.Manifest.GetProperty("entries").EnumerateArray().First(
            e => e.GetProperty("type").GetString() == "file" && e.GetProperty("size").GetInt64() > 100_000);
        var node = entry.GetProperty("inum").GetUInt64();
        var file = Handle(dispatcher.Dispatch(DispatcherTests.Request(FuseOpcode.Open, node, new byte[8]), reply));
        var root = Handle(dispatcher.Dispatch(DispatcherTests.Request(FuseOpcode.OpenDirectory, 1, new byte[8]), reply));
        var read = new FuseReadIn { Handle = file, Size = 65536 };
        var list = new FuseReadIn { Handle = root, Size = 4096 };

        Measure("GETATTR", DispatcherTests.Request(FuseOpcode.GetAttributes, node, new byte[16]), dispatcher, reply);
        Measure("READ", DispatcherTests.Request(FuseOpcode.Read, node, DispatcherTests.Bytes(read)), dispatcher, reply);
        Measure("READDIRPLUS", DispatcherTests.Request(FuseOpcode.ReadDirectoryPlus, 1, DispatcherTests.Bytes(list)), dispatcher, reply);
        Measure("READDIR", DispatcherTests.Request(FuseOpcode.ReadDirectory, 1, DispatcherTests.Bytes(list)), dispatcher, reply);
        Measure("LOOKUP", DispatcherTests.Request(FuseOpcode.Lookup, 1, "links\0"u8), dispatcher, reply);

        // And in a directory that nobody has open: it is read from its cached inode block.
        var closed = image.Manifest.GetProperty("entries").EnumerateArray().First(e => e.GetProperty("path").GetString() == "/links");
        var child = image.Manifest.GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("path").GetString()!)
            .First(p => p.StartsWith("/links/", StringComparison.Ordinal))["/links/".Length..];
        var name = System.Text.Encoding.UTF8.GetBytes(child + "\0");
        Measure("LOOKUP below", DispatcherTests.Request(FuseOpcode.Lookup, closed.GetProperty("inum").GetUInt64(), name), dispatcher, reply);
    }

    [TestMethod]
    public void Directories_that_are_merely_open_take_little_memory()
    {
        const int Open = 2000;
        const long BytesEach = 4096;
        var image = GoldenImages.Get("small-mixed");
        using var volume = GoldenMountTests.OpenVolume(image);
        using var pfs = volume.OpenPfs(image.Label);
        using var fileSystem = new Hammer2FileSystem(pfs, default, TimeSpan.FromHours(1), NullLogger.Instance);
        using var reply = new FuseReply(1 << 20);
        var dispatcher = new FuseDispatcher(fileSystem, new FuseDispatcherOptions(), NullLogger.Instance);

        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Open; i++)
        {
            var handle = Handle(dispatcher.Dispatch(DispatcherTests.Request(FuseOpcode.OpenDirectory, 1, new byte[8]), reply));
            // Every other one is listed to its end, and stays open after that.
            for (var list = new FuseReadIn { Handle = handle, Size = 65536 }; i % 2 == 0;)
            {
                var listed = dispatcher.Dispatch(DispatcherTests.Request(FuseOpcode.ReadDirectory, 1, DispatcherTests.Bytes(list)), reply);
                if (listed.Length == 16)
                    break;
                list.Offset = LastOffset(listed[16..]);
            }
        }

        var kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.IsLessThan(Open * BytesEach, kept);
    }

    private static ulong LastOffset(ReadOnlySpan<byte> records)
    {
        ulong last = 0;
        while (!records.IsEmpty)
        {
            var record = MemoryMarshal.Read<FuseDirent>(records);
            last = record.Offset;
            records = records[((Unsafe.SizeOf<FuseDirent>() + (int)record.NameLength + 7) & ~7)..];
        }

        return last;
    }

    private static void Measure(string what, byte[] request, FuseDispatcher dispatcher, FuseReply reply)
    {
        for (var i = 0; i < Rounds; i++)
            Assert.IsGreaterThan(16, dispatcher.Dispatch(request, reply).Length, what);

        var allocated = Allocations.Least(() =>
        {
            for (var i = 0; i < Rounds; i++)
                _ = dispatcher.Dispatch(request, reply);
        });
        Assert.AreEqual(0L, allocated, what);
    }

    private static ulong Handle(ReadOnlySpan<byte> reply)
    {
        Assert.AreEqual(16 + Unsafe.SizeOf<FuseOpenOut>(), reply.Length);
        return MemoryMarshal.Read<FuseOpenOut>(reply[16..]).Handle;
    }
}
