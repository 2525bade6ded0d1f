// Mounts that are made again, and the filesystems that may be changed without being asked again each time. Two small files in a
// settings folder. Invariants: one saved mount for each target; a filesystem is remembered by its id, not by where it was found.
// Calls SettingsFolder.

namespace Hammer2.Cli.Saved;

/// <summary>A mount that is made again.</summary>
/// <param name="Image">IMAGE[@LABEL] with absolute paths.</param>
/// <param name="Target">Where it is shown.</param>
/// <param name="Options">The options of <c>hammer2 mount</c>.</param>
internal sealed record SavedMount(string Image, string Target, IReadOnlyList<string> Options)
{
    /// <summary>The volume without the label: what one process has open.</summary>
    public string Volume => Image.LastIndexOf('@') is var at && at > 0 && !Image[at..].Contains('/', StringComparison.Ordinal) && !Image[at..].Contains('\\', StringComparison.Ordinal) ? Image[..at] : Image;

    /// <summary>The arguments of the program that make it.</summary>
    public IEnumerable<string> AsArguments(params string[] more) => ["mount", .. more, .. Options, "--", Image, Target];

    /// <summary>True if both are the same mount, whatever their lists are.</summary>
    public bool IsSameAs(SavedMount other) => Image == other.Image && Target == other.Target && Options.SequenceEqual(other.Options);
}

/// <summary>The saved mounts of one folder.</summary>
internal sealed class SavedMounts(SettingsFolder folder)
{
    private const string FileName = "mounts.json";

    private static readonly StringComparer s_targets = OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    public static SavedMounts Of(bool system) => new(SettingsFolder.Of(system));

    public IReadOnlyList<SavedMount> List() => folder.Read<Content>(FileName)?.Mounts ?? [];

    /// <summary>Adds it, in place of one with the same target.</summary>
    public void Add(SavedMount mount) => folder.Change<Content>(FileName, content =>
        new Content([.. (content?.Mounts ?? []).Where(other => !s_targets.Equals(other.Target, mount.Target)), mount]));

    /// <summary>Removes one; false when there is none with that target.</summary>
    public bool Remove(string target)
    {
        bool found = false;
        if (!List().Any(mount => s_targets.Equals(mount.Target, target)))
            return false;
        folder.Change<Content>(FileName, content =>
        {
            IReadOnlyList<SavedMount> before = content?.Mounts ?? [];
            SavedMount[] after = [.. before.Where(mount => !s_targets.Equals(mount.Target, target))];
            found = after.Length < before.Count;
            return new Content(after);
        });
        return found;
    }

    /// <summary>What the file holds.</summary>
    internal sealed record Content(IReadOnlyList<SavedMount> Mounts);
}

/// <summary>Filesystems that were once mounted with <c>--read-write</c> where reading is the default.</summary>
internal sealed class RememberedAccess(SettingsFolder folder)
{
    private const string FileName = "read-write.json";

    /// <summary>True if this user or the machine has decided so.</summary>
    public static bool IsReadWrite(Guid fileSystem) =>
        new RememberedAccess(SettingsFolder.OfUser()).Has(fileSystem) || new RememberedAccess(SettingsFolder.OfSystem()).Has(fileSystem);

    public IReadOnlyList<Guid> List() => folder.Read<Content>(FileName)?.ReadWrite ?? [];

    public void Add(Guid fileSystem)
    {
        if (!Has(fileSystem))
            folder.Change<Content>(FileName, content => new Content([.. (content?.ReadWrite ?? []).Append(fileSystem).Distinct()]));
    }

    /// <summary>Forgets one; false when it was not remembered.</summary>
    public bool Remove(Guid fileSystem)
    {
        bool found = Has(fileSystem);
        if (found)
            folder.Change<Content>(FileName, content => new Content([.. (content?.ReadWrite ?? []).Where(other => other != fileSystem)]));
        return found;
    }

    private bool Has(Guid fileSystem) => List().Contains(fileSystem);

    /// <summary>What the file holds.</summary>
    internal sealed record Content(IReadOnlyList<Guid> ReadWrite);
}
