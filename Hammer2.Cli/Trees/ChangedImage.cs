// Opening what a writing verb changes: the PFS itself, or its mount when one of ours shows it. Invariants: an image that is
// in use is never opened behind the back of whoever uses it; a verb succeeds only after everything it did is durable;
// failures of opening end the run with exit code 3 and one line. May call Listing, Mounting and Output.

using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Control;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Trees;

/// <summary>A PFS that a verb changes.</summary>
internal sealed class ChangedImage : IDisposable
{
    private readonly OpenedImage? _image;

    private ChangedImage(IFileTree tree, OpenedImage? image, IReadOnlyList<string> files)
    {
        Tree = tree;
        _image = image;
        ImageFiles = files;
        Paths = new TreePaths(tree);
    }

    public IFileTree Tree { get; }

    public TreePaths Paths { get; }

    /// <summary>The files that hold the volume, which must not be copied into it.</summary>
    public IReadOnlyList<string> ImageFiles { get; }

    /// <summary>Opens, changes, commits and closes; the result is only there when all of that succeeded.</summary>
    /// <param name="change">Adds to the failures what could not be done; returns what is printed.</param>
    public static VerbResult Run(VerbContext context, string imageName, Func<ChangedImage, FailureList, ITextShape> change)
    {
        var failures = new FailureList();
        ITextShape head;
        using (ChangedImage image = Open(context, imageName))
        {
            head = change(image, failures);
            image.Tree.Commit();
        }

        return new VerbResult(head) { Failures = failures };
    }

    /// <summary>The same for a verb that only reads the PFS: a mount that may change is asked, else the image is read.</summary>
    public static VerbResult Look(VerbContext context, string imageName, Func<ChangedImage, FailureList, ITextShape> look)
    {
        VolumeSpec spec = OpenedImage.Spec(imageName);
        if (MountsOf(context, spec).Exists(static mount => !mount.ReadOnly))
            return Run(context, imageName, look);
        var failures = new FailureList();
        OpenedImage opened = OpenedImage.OpenPfs(context, imageName);
        using var image = new ChangedImage(new EngineTree(opened.Pfs), opened, spec.Paths);
        return new VerbResult(look(image, failures)) { Failures = failures };
    }

    /// <summary>Opens the PFS for changes, directly or through its mount.</summary>
    public static ChangedImage Open(VerbContext context, string imageName)
    {
        VolumeSpec spec = OpenedImage.Spec(imageName);
        if (MountOf(context, imageName, spec) is { } mount)
            return new ChangedImage(HostTrees.OfMount(mount.Target), null, spec.Paths);
        OpenedImage image = OpenedImage.OpenPfs(context, imageName, writable: true);
        if (image.Volume.IsWritable)
            return new ChangedImage(new EngineTree(image.Pfs), image, spec.Paths);
        image.Dispose();
        throw new CliException(ExitCode.CannotOpen, $"{imageName}: cannot be changed, the volume is open for reading only");
    }

    public void Dispose()
    {
        Tree.Dispose();
        _image?.Dispose();
    }

    // The mount of this PFS, or null when the volume is not mounted by us.
    private static MountedVolume? MountOf(VerbContext context, string imageName, VolumeSpec spec)
    {
        List<MountedVolume> mounts = MountsOf(context, spec);
        if (mounts.Count == 0)
            return null;
        string label = spec.Label ?? DefaultLabel(context, imageName, mounts[0]);
        MountedVolume? mount = mounts.Find(mount => mount.Label == label);
        if (mount is null)
        {
            MountedVolume other = mounts[0];
            throw new CliException(
                ExitCode.CannotOpen,
                $"{imageName} is in use: @{other.Label} is mounted at {other.Target}; unmount it, or mount @{label} too");
        }

        if (mount.ReadOnly)
            throw new CliException(ExitCode.CannotOpen, $"{imageName} is in use: it is mounted read-only at {mount.Target}");
        return mount;
    }

    private static List<MountedVolume> MountsOf(VerbContext context, VolumeSpec spec)
    {
        List<string> wanted = FilesOf(spec.Paths);
        return [.. context.MountHost.List()
            .Where(mount => FilesOf(OpenedImage.Spec(mount.Image).Paths).SequenceEqual(wanted, StringComparer.Ordinal))];
    }

    // Without a label the default rule decides, which wants a look at the volume.
    private static string DefaultLabel(VerbContext context, string imageName, MountedVolume mount)
    {
        try
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            return image.Pfs.Label;
        }
        catch (CliException failure) when (failure.InnerException is Hammer2Exception { Error: Hammer2Error.InUse })
        {
            throw new CliException(
                ExitCode.CannotOpen,
                $"{imageName} is mounted at {mount.Target}; say which PFS is meant, for example {imageName}@{mount.Label}",
                failure);
        }
    }

    private static List<string> FilesOf(IEnumerable<string> paths) => [.. paths.Select(VolumeFiles.RealPath).Order(StringComparer.Ordinal)];
}

/// <summary>Trees of this operating system's files.</summary>
internal static class HostTrees
{
    /// <summary>A directory of the host; its changes are as durable as the host makes them.</summary>
    public static IFileTree Of(string directory) =>
        OperatingSystem.IsWindows() ? new WindowsTree(directory, commits: false) : new UnixTree(directory, commits: false);

    /// <summary>A mounted PFS.</summary>
    public static IFileTree OfMount(string directory) =>
        OperatingSystem.IsWindows() ? new WindowsTree(directory, commits: true) : new UnixTree(directory, commits: true);
}
