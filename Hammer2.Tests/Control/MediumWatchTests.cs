// The watch over the medium of a mount that the service made: it ends all mounts of the process when a write failed for good or
// when another system changed the volume while this one slept, takes no more mounts from then on, and else does nothing.

using Hammer2.Cli;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Cli.Saved;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Crash;
using Hammer2.Tests.Managing;
using Hammer2.Tests.Requirements;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class MediumWatchTests
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_never = TimeSpan.FromDays(1);

    [TestMethod]
    public void AFailedWriteEndsEveryMount()
    {
        using var rig = new Rig();
        using var watch = new MediumWatch(rig.Volume, rig.Mounts, rig.Context, s_look, s_never);
        PfsTests.Put(rig.Volume, "DATA", "file", EngineRig.Bytes(100_000, 1));
        rig.Device.Fails = true;
        Assert.ThrowsExactly<Hammer2Exception>(rig.Volume.Sync);
        rig.ExpectEnd(watch);
        StringAssert.Contains(rig.Said, "the mount ends: ");
    }

    [TestMethod]
    public void AnotherSystemsCommitDuringSleepEndsEveryMount()
    {
        using var rig = new Rig();
        PfsTests.Put(rig.Volume, "DATA", "file", EngineRig.Bytes(1000, 1));
        rig.Volume.Sync();
        using (Hammer2Volume other = Hammer2Volume.Open([rig.Memory.Clone()], new VolumeOptions { Writable = true }))
        {
            PfsTests.Put(other, "DATA", "theirs", EngineRig.Bytes(1000, 2));
            other.Sync();
            VolumeHeaderCopy newest = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(other.Members[0].Device))!;
            rig.Memory.Write(newest.Offset, newest.Header!.Bytes);
        }

        using var watch = new MediumWatch(rig.Volume, rig.Mounts, rig.Context, s_look, TimeSpan.Zero);
        rig.ExpectEnd(watch);
        Assert.IsNotNull(rig.Volume.Failure);
    }

    [TestMethod]
    public void ASoundMediumIsLeftAlone()
    {
        using var rig = new Rig();
        using (var watch = new MediumWatch(rig.Volume, rig.Mounts, rig.Context, s_look, TimeSpan.Zero))
        {
            for (int i = 0; i < 5; i++)
            {
                PfsTests.Put(rig.Volume, "DATA", $"f{i}", EngineRig.Bytes(1000, i));
                rig.Volume.Sync();
                Assert.IsFalse(rig.Sessions[0].Ended.Wait(s_look * 3));
            }

            Assert.IsFalse(watch.HasEndedMount);
        }

        Assert.AreEqual("", rig.Said);
        rig.Mounts.AddMount(new Session()).Unmount();
    }

    private sealed class Rig : IDisposable
    {
        private readonly StringWriter _said = new();

        internal Rig()
        {
            Memory = new MemoryBlockDevice(64 << 20);
            VolumeFormatter.Format([Memory]);
            Device = new Breakable(Memory);
            Volume = Hammer2Volume.Open([Device], new VolumeOptions { Writable = true, CommitInterval = TimeSpan.Zero });
            foreach (Session session in Sessions)
                Mounts.AddMount(session);
            var terminal = new Terminal(new MemoryStream(), TextWriter.Synchronized(_said));
            Context = new VerbContext
            {
                Terminal = terminal,
                Json = false,
                Verbose = false,
                Logger = NullLogger.Instance,
                MountHost = MountHosts.ForThisSystem(),
                Results = new ResultWriter(terminal, json: false),
            };
        }

        internal MemoryBlockDevice Memory { get; }

        internal Breakable Device { get; }

        internal Hammer2Volume Volume { get; }

        internal Session[] Sessions { get; } = [new(), new()];

        internal HeldMounts Mounts { get; } = new(CancellationToken.None);

        internal VerbContext Context { get; }

        internal string Said => _said.ToString();

        internal void ExpectEnd(MediumWatch watch)
        {
            foreach (Session session in Sessions)
                Assert.IsTrue(session.Ended.Wait(LiveMount.Deadline), "a mount goes on");
            Assert.IsTrue(watch.HasEndedMount);
            Mounts.WaitForUnmount();
            var late = new Session();
            Assert.ThrowsExactly<CliException>(() => Mounts.AddMount(late));
            Assert.IsTrue(late.Ended.IsSet);
        }

        public void Dispose()
        {
            Mounts.Dispose();
            Device.Fails = false;
            try
            {
                Volume.Dispose();
            }
            catch (Hammer2Exception failure) when (Volume.Failure is not null)
            {
                // What could not be written is what the test was about.
                Assert.AreNotEqual("", failure.Message);
            }
        }
    }

    private sealed class Session : IMountSession
    {
        internal ManualResetEventSlim Ended { get; } = new();

        public string Target => "/nowhere";

        public void WaitForUnmount(CancellationToken stop) => Ended.Wait(stop);

        public void Unmount() => Ended.Set();

        public void Dispose() => Unmount();
    }

    private sealed class Breakable(IBlockDevice below) : PassingDevice(below)
    {
        internal bool Fails { get; set; }

        public override void Write(long offset, ReadOnlySpan<byte> data)
        {
            if (Fails)
                throw new Hammer2Exception(Hammer2Error.Io, "the cable is out");
            base.Write(offset, data);
        }
    }
}
