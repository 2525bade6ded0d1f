// Opening what the user named: IMAGE[@LABEL] becomes a volume and, when a verb looks into it, a PFS.
// Invariants: whatever goes wrong here ends the run with exit code 3 (2 when the arguments are to
// blame) and one line; the image is opened read-only unless a writing verb asks otherwise.

using Hammer2.Cli.Live;
using Hammer2.Cli.Output;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Listing;

/// <summary>An open volume, with a PFS of it when one was asked for.</summary>
internal sealed class OpenedImage : IDisposable
{
    private readonly PfsMount? _pfs;
    private readonly bool _ownsVolume;

    private OpenedImage(string image, Hammer2Volume volume, PfsMount? pfs, bool ownsVolume = true)
    {
        Image = image;
        Volume = volume;
        _pfs = pfs;
        _ownsVolume = ownsVolume;
    }

    /// <summary>As the user gave it.</summary>
    public string Image { get; }

    public Hammer2Volume Volume { get; }

    public PfsMount Pfs => _pfs ?? throw new InvalidOperationException("opened without a PFS");

    /// <summary>Opens another PFS of the same volume; the caller disposes it.</summary>
    public PfsMount OpenAnother(string label) => Guard(Image, () => Volume.OpenPfs(label));

    /// <summary>Opens the volume only; in a mount it is the mounted one.</summary>
    /// <param name="context">The run's options.</param>
    /// <param name="image">As the user gave it.</param>
    /// <param name="writable">For changes: committed when asked and at closing, not by a timer.</param>
    public static OpenedImage OpenVolume(VerbContext context, string image, bool writable = false)
    {
        if (context.Live is { } live)
            return new OpenedImage(live.Paths, ForUse(live, writable), null, ownsVolume: false);
        VolumeOptions options = Options(context) with { Writable = writable, CommitInterval = TimeSpan.Zero };
        return new OpenedImage(image, Guard(image, () => Hammer2Volume.Open(Spec(image), options)), null);
    }

    /// <summary>Opens the volume and the PFS of the label, or the default one; in a mount it is the mounted volume.</summary>
    /// <param name="context">The run's options.</param>
    /// <param name="image">As the user gave it.</param>
    /// <param name="writable">For changes: committed when asked and at closing, not by a timer.</param>
    public static OpenedImage OpenPfs(VerbContext context, string image, bool writable = false)
    {
        if (context.Live is not { } live)
            return Open(image, Options(context) with { Writable = writable, CommitInterval = TimeSpan.Zero });
        Hammer2Volume volume = ForUse(live, writable);
        return new OpenedImage(live.Paths, volume, Guard(live.Paths, () => volume.OpenPfs(live.Label ?? Spec(image).Label)), ownsVolume: false);
    }

    /// <summary>Opens for changes over a long time: committed when asked, at closing, and every few seconds.</summary>
    public static OpenedImage OpenToMount(VerbContext context, string image) =>
        Open(image, Options(context) with { Writable = true });

    private static OpenedImage Open(string image, VolumeOptions options)
    {
        VolumeSpec spec = Spec(image);
        Hammer2Volume volume = Guard(image, () => Hammer2Volume.Open(spec, options));
        try
        {
            return new OpenedImage(image, volume, Guard(image, () => volume.OpenPfs(spec.Label)));
        }
        catch
        {
            volume.Dispose();
            throw;
        }
    }

    /// <summary>The engine's options for this run.</summary>
    public static VolumeOptions Options(VerbContext context)
    {
        var options = new VolumeOptions { Logger = context.Logger, Partition = context.Partition };
        if (context.CacheBytes is { } bytes)
            options = options with { CacheBytesMax = bytes };
        return context.ReadAheadBlocks is { } blocks ? options with { ReadAheadBlocksMax = blocks } : options;
    }

    public static VolumeSpec Spec(string image)
    {
        if (string.IsNullOrWhiteSpace(image))
            throw CliException.Usage("the image has an empty name");
        try
        {
            return VolumeSpec.Parse(image);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or Hammer2Exception)
        {
            throw CliException.Usage($"'{image}' is not IMAGE[:IMAGE...][@LABEL]: {failure.Message}");
        }
    }

    public void Dispose()
    {
        _pfs?.Dispose();
        if (_ownsVolume)
            Volume.Dispose();
    }

    private static Hammer2Volume ForUse(LiveVolume live, bool writable)
    {
        if (!writable || live.Volume.IsWritable)
            return live.Volume;
        throw new CliException(ExitCode.CannotOpen, live.Volume.Failure is { } failure
            ? $"{live.Paths}: nothing can be changed since a write failed: {failure.Message}"
            : $"{live.Paths} is mounted read-only; mount it with --read-write to change it");
    }

    private static T Guard<T>(string image, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            string message = failure.Message;
            bool saysWhich = VolumeSpec.Parse(image).Paths.Any(path => message.Contains(path, StringComparison.Ordinal));
            if (!saysWhich)
                message = $"{image}: {message}";
            throw new CliException(ExitCode.CannotOpen, message, failure);
        }
    }
}
