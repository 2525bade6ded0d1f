// In a mount that the service made: ends it when another system changed the medium, or a write failed for good, so that the service
// mounts what is there now. After the machine slept the headers are looked at before anybody writes. Invariant: ends the mounts
// once, and never from a thread that serves them. Calls the volume and its mounts.

using Hammer2.Cli.Mounting;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Saved;

/// <summary>Watches one volume.</summary>
internal sealed class MediumWatch : IDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_slept = TimeSpan.FromSeconds(30);

    private readonly Hammer2Volume _volume;
    private readonly HeldMounts _mounts;
    private readonly VerbContext _context;
    private readonly ManualResetEvent _ended = new(false);
    private readonly Thread _thread;
    private readonly TimeSpan _look;
    private readonly TimeSpan _slept;

    /// <summary>Begins to watch.</summary>
    public MediumWatch(Hammer2Volume volume, HeldMounts mounts, VerbContext context)
        : this(volume, mounts, context, s_look, s_slept)
    {
    }

    /// <summary>For tests: looks after other pauses, and takes the machine for one that slept sooner.</summary>
    internal MediumWatch(Hammer2Volume volume, HeldMounts mounts, VerbContext context, TimeSpan look, TimeSpan slept)
    {
        _volume = volume;
        _mounts = mounts;
        _context = context;
        _look = look;
        _slept = slept;
        _thread = new Thread(Watch) { IsBackground = true, Name = "medium watch" };
        _thread.Start();
    }

    /// <summary>True once it has ended the mounts.</summary>
    public bool HasEndedMount { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ended.Set();
        _thread.Join();
        _ended.Dispose();
    }

    private void Watch()
    {
        DateTime last = DateTime.UtcNow;
        while (!_ended.WaitOne(_look))
        {
            bool slept = DateTime.UtcNow - last > _slept;
            last = DateTime.UtcNow;
            if (_volume.Failure is null && (!slept || IsOurs()))
                continue;
            _context.Say($"the mount ends: {_volume.Failure?.Message ?? "the medium is not the same any more"}");
            HasEndedMount = true;
            _mounts.UnmountAll();
            return;
        }
    }

    private bool IsOurs()
    {
        try
        {
            return _volume.CheckMedium();
        }
        catch (Hammer2Exception failure)
        {
            _context.Say($"after a pause: {failure.Message}");
            return false;
        }
    }
}
