// A mount of this process without an operating system's mount behind it: the verb `mount` runs with a host that shows nothing
// and waits, so that its control channel can be talked to. Disposing it ends the mount as a signal would.

using Hammer2.Cli.Mounting;
using Hammer2.Control;
using Hammer2.Tests.Cli;

namespace Hammer2.Tests.Control;

internal sealed class LiveMount : IDisposable
{
    internal static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<CliRun> _mount;

    internal LiveMount(string image, params string[] options)
    {
        Image = image;
        _mount = Task.Factory.StartNew(
            () => CliRun.On(Host, ["mount", .. options, image, Host.Place], _stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.IsTrue(
            SpinWait.SpinUntil(() => _mount.IsCompleted || ControlEndpoint.Find([image.Split('@')[0]]).Count > 0 && Host.Waits.IsSet, Deadline), "the mount does not come");
        Assert.IsFalse(_mount.IsCompleted, _mount.IsCompleted ? _mount.Result.Error : "");
    }

    internal QuietHost Host { get; } = new();

    internal string Image { get; }

    /// <summary>Ends the mount and returns what it said.</summary>
    internal CliRun End()
    {
        _stop.Cancel();
        Assert.IsTrue(_mount.Wait(Deadline), "the mount does not end");
        return _mount.Result;
    }

    public void Dispose()
    {
        End();
        Host.Dispose();
        _stop.Dispose();
    }

    /// <summary>Mounts nothing, and knows it.</summary>
    internal sealed class QuietHost : IMountHost, IDisposable
    {
        private readonly List<MountedVolume> _mounted = [];

        internal string Place { get; } = Directory.CreateTempSubdirectory("hammer2-live-test-").FullName;

        internal ManualResetEventSlim Waits { get; } = new();

        public string? WhyUnavailable() => null;

        public IMountSession Mount(MountRequest request)
        {
            lock (_mounted)
                _mounted.Add(new MountedVolume(request.ImagePaths, request.Pfs.Label, request.Target, request.ReadOnly, null));
            return new Session(this, request.Target);
        }

        public void Unmount(string target) => throw new IOException("nothing is mounted really");

        public IReadOnlyList<MountedVolume> List()
        {
            lock (_mounted)
                return [.. _mounted];
        }

        public string PickTarget() => Place;

        public void ReleaseTarget(string target)
        {
            // Nothing was made.
        }

        public void Dispose()
        {
            Directory.Delete(Place);
            Waits.Dispose();
        }

        private sealed class Session(QuietHost host, string target) : IMountSession
        {
            public string Target => target;

            public void WaitForUnmount(CancellationToken stop)
            {
                host.Waits.Set();
                stop.WaitHandle.WaitOne();
            }

            public void Unmount() => Dispose();

            public void Dispose()
            {
                lock (host._mounted)
                    host._mounted.RemoveAll(mount => mount.Target == target);
            }
        }
    }
}
