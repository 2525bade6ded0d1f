// The control channel between one mount and its clients, with commands that do what a test tells them (R3, R4): whoever goes
// away at whatever moment, every call ends once, the queue goes on, and nothing is left behind.

using System.Collections.Concurrent;
using System.Diagnostics;
using Hammer2.Control;
using Hammer2.Tests.Cli;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class ControlChannelTests
{
    private static readonly TimeSpan s_deadline = LiveMount.Deadline;

    [TestMethod]
    public void OutputComesInOrderAndBeforeTheAnswer()
    {
        using var rig = new Rig((_, output, _) =>
        {
            for (int i = 0; i < 200; i++)
                output.Output.Write("line\n"u8);
            output.Error.WriteLine("said");
            return 7;
        });
        using ControlClient client = rig.Connect();
        var (code, text, error) = Run(client, "print");
        Assert.AreEqual(7, code);
        Assert.AreEqual(string.Concat(Enumerable.Repeat("line\n", 200)), text);
        Assert.AreEqual("said\n", error);
        Assert.AreEqual("said", client.List().Single().Message);
        Assert.AreEqual(Environment.ProcessId, client.Server.ProcessId);
    }

    [TestMethod]
    public void LongCommandsGoOneByOneAndShortOnesBeside()
    {
        using var gate = new SemaphoreSlim(0);
        int atOnce = 0, most = 0;
        using var rig = new Rig((request, _, stop) =>
        {
            if (request.Arguments[0] == "short")
                return 0;
            int now = Interlocked.Increment(ref atOnce);
            most = Math.Max(most, now);
            gate.Wait(stop);
            Interlocked.Decrement(ref atOnce);
            return 0;
        });
        using ControlClient client = rig.Connect(), other = rig.Connect();
        Task<int>[] runs = [.. Enumerable.Range(0, 5).Select(i => Begin(i % 2 == 0 ? client : other, $"long {i}"))];
        Until(() => rig.States().Count(state => state == TransactionState.Running) == 1 && rig.States().Count == 5);
        Assert.AreEqual(0, Run(other, "short").Code);
        gate.Release(5);
        Assert.IsTrue(Task.WaitAll(runs, s_deadline));
        Assert.AreEqual(1, most);
    }

    [TestMethod]
    public void AClientThatGoesTakesItsTransactionsAndLeavesTheQueue()
    {
        using var rig = new Rig(Wait);
        ControlClient leaving = rig.Connect();
        using ControlClient staying = rig.Connect();
        Task<int> first = Begin(leaving, "long first"), waiting = Begin(leaving, "long waiting");
        Until(() => rig.States().Count == 2 && rig.Runs == 1);
        Task<int> next = Begin(staying, "long next");
        Until(() => rig.States().Count == 3);
        leaving.Dispose();
        Assert.IsInstanceOfType<ControlException>(Failure(first));
        Assert.IsInstanceOfType<ControlException>(Failure(waiting));
        Until(() => rig.Runs == 2 && rig.States() is [TransactionState.Cancelled, TransactionState.Cancelled, TransactionState.Running]);
        rig.Let.Set();
        Assert.IsTrue(next.Wait(s_deadline));
        Assert.AreEqual(0, next.Result);
        Assert.IsTrue(rig.EndedOnce());
    }

    [TestMethod]
    public void DetachedWorkOutlivesItsClient()
    {
        using var rig = new Rig(Wait);
        using (ControlClient client = rig.Connect())
        {
            RunAnswer answer = client.Run(new RunRequest(["long alone"], "/", Detached: true), Stream.Null, TextWriter.Null, CancellationToken.None);
            Assert.AreEqual(1, answer.Transaction);
        }

        Until(() => rig.Runs == 1);
        rig.Let.Set();
        Until(() => rig.States() is [TransactionState.Done]);
    }

    [TestMethod]
    public void CancellingACallCancelsItsCommandWhetherItRunsOrWaits()
    {
        using var rig = new Rig(Wait);
        using ControlClient client = rig.Connect();
        using var stopRunning = new CancellationTokenSource();
        using var stopWaiting = new CancellationTokenSource();
        Task<int> running = Begin(client, "long running", stopRunning.Token);
        Until(() => rig.Runs == 1);
        Task<int> waiting = Begin(client, "long waiting", stopWaiting.Token);
        Until(() => rig.States().Count == 2);
        stopWaiting.Cancel();
        Assert.IsInstanceOfType<OperationCanceledException>(Failure(waiting));
        stopRunning.Cancel();
        Assert.AreEqual(130, running.WaitAsync(s_deadline).Result);
        Until(() => rig.States() is [TransactionState.Cancelled, TransactionState.Cancelled]);
        Assert.AreEqual(1, rig.Runs);
    }

    [TestMethod]
    public void AnybodyAllowedMayCancelByNumber()
    {
        using var rig = new Rig(Wait);
        using ControlClient client = rig.Connect(), other = rig.Connect();
        Task<int> running = Begin(client, "long");
        Until(() => rig.Runs == 1);
        Assert.IsFalse(other.Cancel(99));
        Assert.IsTrue(other.Cancel(1));
        Assert.AreEqual(130, running.WaitAsync(s_deadline).Result);
        Assert.IsFalse(other.Cancel(1));
    }

    [TestMethod]
    public void APausedCommandWaitsUntilItIsLetGoOnOrCancelled()
    {
        int steps = 0;
        using var rig = new Rig((_, output, stop) =>
        {
            while (!stop.IsCancellationRequested)
            {
                output.WaitWhilePaused();
                Interlocked.Increment(ref steps);
            }

            return 130;
        });
        using ControlClient client = rig.Connect(), other = rig.Connect();
        Task<int> running = Begin(client, "long");
        Until(() => Volatile.Read(ref steps) > 0);
        Assert.IsTrue(other.Pause(1, true));
        Until(() => rig.States() is [TransactionState.Paused]);
        Until(() =>
        {
            int before = Volatile.Read(ref steps);
            return !SpinWait.SpinUntil(() => Volatile.Read(ref steps) != before, 50);
        });
        int stands = Volatile.Read(ref steps);
        Assert.IsTrue(other.Pause(1, false));
        Until(() => Volatile.Read(ref steps) > stands);
        Assert.IsTrue(other.Pause(1, true));
        Assert.IsTrue(other.Cancel(1));
        Assert.IsTrue(Task.WhenAny(running).Wait(s_deadline));
        Assert.IsFalse(other.Pause(1, true));
    }

    [TestMethod]
    public void WhatDoesNotStopHalfWayIsNotCalledPaused()
    {
        using var rig = new Rig(Wait);
        using ControlClient client = rig.Connect(), other = rig.Connect();
        Task<int> running = Begin(client, "long stubborn");
        Until(() => rig.Runs == 1);
        StringAssert.Contains(Assert.ThrowsExactly<ControlException>(() => other.Pause(1, true)).Message, "cannot be paused");
        Assert.AreEqual(TransactionState.Running, rig.States().Single());
        Assert.IsTrue(other.Pause(1, false));
        rig.Let.Set();
        Assert.AreEqual(0, running.WaitAsync(s_deadline).Result);
    }

    // The mount hung up as soon as it had the exit code, and now and then before it was sent: the client heard of a mount
    // that ended without an answer.
    [TestMethod]
    public void WhatRanWhenTheMountEndedGetsItsExitCodeEveryTime()
    {
        for (int round = 0; round < 60; round++)
        {
            var rig = new Rig(Wait);
            using ControlClient client = rig.Connect();
            Task<int> running = Begin(client, "long");
            Until(() => rig.Runs == 1);
            rig.Dispose();
            Assert.AreEqual(130, running.WaitAsync(s_deadline).Result, $"round {round}");
        }
    }

    [TestMethod]
    public void CancellingWhatHasEndedAndIsForgottenHurtsNobody()
    {
        using var rig = new Rig((_, _, _) => 0);
        using ControlClient client = rig.Connect(), other = rig.Connect();
        using var stop = new CancellationTokenSource();
        long number = 1;
        Task cancelling = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                long now = Volatile.Read(ref number);
                for (long old = Math.Max(1, now - 40); old <= now; old++)
                {
                    other.Cancel(old);
                    other.Pause(old, true);
                }
            }
        });
        for (int i = 0; i < 200; i++)
        {
            // A cancelled one was cancelled before it began.
            _ = Task.WhenAny(Begin(client, "short")).WaitAsync(s_deadline).Result;
            Volatile.Write(ref number, i + 1);
        }

        stop.Cancel();
        Assert.IsTrue(cancelling.Wait(s_deadline));
    }

    [TestMethod]
    public void TheEndOfTheMountEndsEveryCallOnceAndAcceptsNoMore()
    {
        var rig = new Rig(Wait);
        using ControlClient client = rig.Connect(), other = rig.Connect();
        Task<int>[] calls = [Begin(client, "long a"), Begin(other, "long b"), Begin(client, "short c"), Begin(other, "long d")];
        Until(() => rig.States().Count == 4 && rig.Runs == 2);
        rig.Dispose();
        foreach (Task<int> call in calls)
        {
            // What ran got its exit code, what waited an error: nobody waits for ever.
            Assert.IsTrue(Task.WhenAny(call).Wait(s_deadline));
            Assert.IsTrue(call.IsFaulted || call.Result == 130, $"{call.Status}");
        }

        Assert.AreEqual(2, rig.Runs);
        Assert.IsInstanceOfType<ControlException>(Assert.ThrowsExactly<ControlException>(() => Run(client, "short late")));
        Assert.IsNull(ControlClient.Connect(rig.Endpoint));
        Assert.IsEmpty(ControlEndpoint.Find([rig.VolumePath]));
    }

    [TestMethod]
    public void ACommandThatBreaksIsItsOwnFailure()
    {
        using var rig = new Rig((request, _, _) => request.Arguments[0] == "short break" ? throw new InvalidOperationException("broken") : 0);
        using ControlClient client = rig.Connect();
        Assert.AreEqual(1, Run(client, "short break").Code);
        Assert.AreEqual(0, Run(client, "short after").Code);
        Assert.AreEqual("broken", client.List()[0].Message);
    }

    [TestMethod]
    public void AnOutputThatFailsIsTheClientsFailureAndEndsTheCommand()
    {
        using var ended = new ManualResetEventSlim();
        using var rig = new Rig((_, output, _) =>
        {
            try
            {
                while (true)
                    output.Output.Write("more"u8);
            }
            finally
            {
                ended.Set();
            }
        });
        using ControlClient client = rig.Connect();
        IOException failure = Assert.ThrowsExactly<IOException>(() =>
            client.Run(new RunRequest(["short"], "/"), new Full(), TextWriter.Null, CancellationToken.None));
        Assert.AreEqual("the pipe is closed", failure.Message);
        Assert.IsTrue(ended.Wait(s_deadline));
        Assert.IsEmpty(client.List().Where(known => known.State == TransactionState.Running));
    }

    [TestMethod]
    public void NobodyGoesOnWithoutAGreetingOfTheSameVersion()
    {
        using var rig = new Rig((_, _, _) => 0);
        using Stream stream = rig.Endpoint.ConnectAsync(s_deadline, CancellationToken.None).Result!;
        using StreamJsonRpc.JsonRpc rpc = ControlConnection.Create(stream);
        var server = rpc.Attach<IControlServer>();
        rpc.StartListening();
        AggregateException silent = Assert.ThrowsExactly<AggregateException>(() => server.ListAsync().Wait());
        StringAssert.Contains(silent.InnerException!.Message, "version");
        ControlHello hello = server.HelloAsync(new ControlHello(ControlProtocol.Version + 1, "later", 1)).Result;
        Assert.AreEqual(ControlProtocol.Version, hello.Protocol);
        Assert.ThrowsExactly<AggregateException>(() => server.RunAsync(new RunRequest(["short"], "/"), default).Wait());
        server.HelloAsync(ControlConnection.OwnHello).Wait();
        Assert.IsEmpty(server.ListAsync().Result);
    }

    [TestMethod]
    public void ASocketThatNobodyAnswersAtIsRemoved()
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("pipes vanish with their process");
        using var rig = new Rig((_, _, _) => 0);
        string dead = Path.Combine(Path.GetDirectoryName(rig.Endpoint.Address)!, "hammer2-0123456789abcdef-1.sock");
        File.WriteAllText(dead, "");
        Assert.IsNull(ControlClient.Connect(new ControlEndpoint(dead)));
        Assert.IsFalse(File.Exists(dead));
    }

    [TestMethod]
    public void AnotherUserIsNotAnswered()
    {
        if (OperatingSystem.IsWindows() || !Environment.IsPrivilegedProcess)
        {
            Assert.Inconclusive("becoming another user needs root on Linux");
            return;
        }

        using var rig = new Rig((_, _, _) => 0);
        const string Script = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 3; print(sysread($s, my $b, 1) // 0);";
        var (code, output) = AsNobody("perl", "-e", Script, rig.Endpoint.Address);
        if (code == 127)
            Assert.Inconclusive("this needs setpriv and perl");
        Assert.AreEqual(3, code, "the folder let another user in");

        // Even where folder and socket are open to all: the kernel says who it is, and the connection is closed.
        using var open = new TemporaryFolder();
        File.SetUnixFileMode(open.Path, (UnixFileMode)0x1FF);
        using var server = new ControlServer(new ControlEndpoint(open["hammer2-open-1.sock"]), rig, NullLogger.Instance);
        File.SetUnixFileMode(server.Endpoint.Address, (UnixFileMode)0x1B6);
        (code, output) = AsNobody("perl", "-e", Script, server.Endpoint.Address);
        Assert.AreEqual(0, code);
        Assert.AreEqual("0", output.Trim());
        using ControlClient own = ControlClient.Connect(server.Endpoint)!;
        Assert.IsEmpty(own.List());
    }

    private static (int Code, string Output) AsNobody(params string[] command)
    {
        try
        {
            var start = new ProcessStartInfo("setpriv") { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (string argument in (string[])["--reuid=65534", "--clear-groups", .. command])
                start.ArgumentList.Add(argument);
            using Process process = Process.Start(start)!;
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (127, "");
        }
    }

    private static int Wait(Rig rig, CancellationToken stop) => WaitHandle.WaitAny([rig.Let.WaitHandle, stop.WaitHandle]) == 0 ? 0 : 130;

    private static void Until(Func<bool> condition) => Assert.IsTrue(SpinWait.SpinUntil(condition, s_deadline), "it does not come to it");

    private static Task<int> Begin(ControlClient client, string command, CancellationToken stop = default) => Task.Factory.StartNew(
        () => client.Run(new RunRequest([command], "/"), Stream.Null, TextWriter.Null, stop).ExitCode,
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static Exception Failure(Task task)
    {
        Assert.IsTrue(Task.WhenAny(task).Wait(s_deadline), "the call does not end");
        return Assert.ThrowsExactly<AggregateException>(task.Wait).InnerException!;
    }

    private static (int Code, string Output, string Error) Run(ControlClient client, string command)
    {
        using var output = new MemoryStream();
        var error = new StringWriter();
        int code = client.Run(new RunRequest([command], "/"), output, error, CancellationToken.None).ExitCode;
        return (code, System.Text.Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    private sealed class Full : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("the pipe is closed");

        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("the pipe is closed");
    }

    /// <summary>A mount without a volume.</summary>
    private sealed class Rig : ICommandRunner, IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly Func<RunRequest, CommandOutput, CancellationToken, int> _work;
        private readonly ControlServer _server;
        private readonly ConcurrentDictionary<string, int> _ends = new();
        private int _runs;

        internal Rig(Func<Rig, CancellationToken, int> work)
            : this(null!, work)
        {
        }

        internal Rig(Func<RunRequest, CommandOutput, CancellationToken, int> work)
            : this(work, null!)
        {
        }

        private Rig(Func<RunRequest, CommandOutput, CancellationToken, int>? work, Func<Rig, CancellationToken, int>? waiting)
        {
            _work = work ?? ((_, _, stop) => waiting!(this, stop));
            VolumePath = _folder["volume.img"];
            _server = new ControlServer(ControlEndpoint.OfThisProcess([VolumePath]), this, NullLogger.Instance);
        }

        internal string VolumePath { get; }

        internal ControlEndpoint Endpoint => _server.Endpoint;

        internal ManualResetEventSlim Let { get; } = new();

        internal int Runs => Volatile.Read(ref _runs);

        internal ControlClient Connect() => ControlClient.Connect([VolumePath]) ?? throw new AssertFailedException("nobody answers");

        internal List<TransactionState> States()
        {
            using ControlClient client = Connect();
            return [.. client.List().Select(static transaction => transaction.State)];
        }

        internal bool EndedOnce() => _ends.Values.All(static count => count == 1);

        public bool IsLong(RunRequest request) => request.Arguments[0].StartsWith("long", StringComparison.Ordinal);

        public bool CanPause(RunRequest request) => !request.Arguments[0].Contains("stubborn", StringComparison.Ordinal);

        public int Run(RunRequest request, CommandOutput output, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _runs);
            try
            {
                return _work(request, output, cancellationToken);
            }
            finally
            {
                _ends.AddOrUpdate(request.Arguments[0], 1, static (_, count) => count + 1);
            }
        }

        public void Dispose()
        {
            _server.Dispose();
            Let.Dispose();
            _folder.Dispose();
        }
    }
}
