// Proves that workers serve in parallel, survive what goes wrong, and end when the connection does: without a kernel.
// Layers: Fuse.Sessions over an in-memory channel.

using System.Buffers.Binary;
using System.Collections.Concurrent;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Sessions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class SessionTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    [TestMethod]
    public void Workers_serve_in_parallel_and_end_with_the_connection()
    {
        var fileSystem = new FakeFileSystem();
        var connection = new Connection();
        var session = Start(connection, fileSystem, workers: 2);
        var slow = new FuseReadIn { Handle = FakeFileSystem.SlowNode, Size = 4096 };
        connection.Requests.Add(DispatcherTests.Request(FuseOpcode.Read, FakeFileSystem.SlowNode, DispatcherTests.Bytes(slow)));
        Assert.IsTrue(fileSystem.SlowArrived.Wait(s_deadline));
        connection.Requests.Add(DispatcherTests.Request(FuseOpcode.GetAttributes, 1, new byte[16]));
        Assert.AreEqual(120, connection.Take().Length, "the second request must not wait for the first");
        fileSystem.Gate.Set();
        Assert.AreEqual(16 + 4096, connection.Take().Length);

        connection.End(Errno.ENODEV);
        Assert.IsTrue(session.Ended.Wait(s_deadline));
        Assert.AreEqual(2, connection.Disposed, "each worker's end of the connection is closed, once");
    }

    [TestMethod]
    public void A_worker_survives_exceptions_interruptions_and_nonsense()
    {
        var connection = new Connection();
        var session = Start(connection, new FakeFileSystem(), workers: 1);
        connection.Fail(Errno.EINTR);
        connection.Fail(Errno.ENOENT);
        connection.Fail(Errno.EAGAIN);
        connection.Requests.Add(new byte[3]);
        connection.Requests.Add(DispatcherTests.Request(FuseOpcode.ReadLink, 2, []));
        Assert.AreEqual(-Errno.EIO, BinaryPrimitives.ReadInt32LittleEndian(connection.Take().AsSpan(4)));
        connection.Requests.Add(DispatcherTests.Request(FuseOpcode.GetAttributes, 1, new byte[16]));
        Assert.AreEqual(120, connection.Take().Length);
        Assert.IsFalse(session.Ended.IsCompleted);
        connection.End(Errno.ECONNABORTED);
        Assert.IsTrue(session.Ended.Wait(s_deadline));
    }

    [TestMethod]
    public void Workers_share_a_channel_that_cannot_be_cloned()
    {
        var connection = new Connection { CanClone = false };
        var session = Start(connection, new FakeFileSystem(), workers: 3);
        for (var i = 0; i < 100; i++)
            connection.Requests.Add(DispatcherTests.Request(FuseOpcode.GetAttributes, 1, new byte[16]));
        for (var i = 0; i < 100; i++)
            Assert.AreEqual(120, connection.Take().Length);
        connection.End(Errno.ENODEV);
        Assert.IsTrue(session.Ended.Wait(s_deadline));
        Assert.AreEqual(1, connection.Disposed);
    }

    private static FuseSession Start(Connection connection, FakeFileSystem fileSystem, int workers)
    {
        var options = new FuseDispatcherOptions();
        var dispatcher = new FuseDispatcher(fileSystem, options, NullLogger.Instance);
        var session = new FuseSession(new Channel(connection), dispatcher, options, workers, NullLogger.Instance);
        session.Start();
        return session;
    }

    /// <summary>What the kernel would be.</summary>
    private sealed class Connection
    {
        private int _end;

        public BlockingCollection<byte[]> Requests { get; } = [];

        public BlockingCollection<byte[]> Replies { get; } = [];

        public bool CanClone { get; init; } = true;

        public int Disposed;

        public byte[] Take() => Replies.TryTake(out var reply, s_deadline) ? reply : throw new AssertFailedException("no reply");

        public void Fail(int errno) => Requests.Add(BitConverter.GetBytes(-errno));

        public void End(int errno)
        {
            _end = errno;
            Requests.CompleteAdding();
        }

        public int Receive(Span<byte> buffer)
        {
            byte[] next;
            try
            {
                next = Requests.Take();
            }
            catch (InvalidOperationException)
            {
                return -_end;
            }

            // Four bytes stand for an errno.
            if (next.Length == 4)
                return BitConverter.ToInt32(next);
            next.CopyTo(buffer);
            return next.Length;
        }
    }

    private sealed class Channel(Connection connection) : IFuseChannel
    {
        public int Receive(Span<byte> buffer) => connection.Receive(buffer);

        public int Send(ReadOnlySpan<byte> reply)
        {
            connection.Replies.Add(reply.ToArray());
            return 0;
        }

        public IFuseChannel? TryClone() => connection.CanClone ? new Channel(connection) : null;

        public void Dispose() => Interlocked.Increment(ref connection.Disposed);
    }
}
