// Puts what a recovery found into a folder: every version of a file under a name of its own, directories with all that they ever
// had. Invariants: names become names of the destination only through HostNames, into directories that this run made, so nothing
// leaves the folder; a file that is not whole is kept only when that was asked for; each directory is restored once, so moves
// and crafted loops end. May call Output and the engine's checking.

using System.Globalization;
using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>One restored object.</summary>
internal sealed record RecoveredShape(
    string? Path, string? PathHex, string Type, ulong Inum, string Tid, bool Proven, long Size, long MtimeUs, long LostBytes) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        string path = Path is not null ? MediaText.Show(Path) : MediaText.Show(Convert.FromHexString(PathHex!));
        string lost = LostBytes > 0 ? $"  {ByteSize.Show(LostBytes)} lost" : "";
        output.Line($"{path}  {Type}  inode {Inum}  tid {Tid}{(Proven ? "" : " unproven")}  {ByteSize.Show(Size)}{lost}");
    }
}

/// <summary>Writes recovered objects.</summary>
internal sealed class RecoveredTree(MediaRecovery recovery, ICopyDestination destination, bool filesOnly, bool relaxed, FailureList failures, CancellationToken stop)
{
    private const int NoSpaceUnix = 28, NoSpaceWindows = unchecked((int)0x80070070);
    private const int NumberBytes = 5;
    private readonly HashSet<ulong> _directories = [];
    private readonly Stack<Step> _todo = [];

    /// <summary>Objects restored.</summary>
    public long Restored { get; private set; }

    /// <summary>Versions of which something is lost, restored or not.</summary>
    public long DamagedVersions { get; private set; }

    /// <summary>Restores what the names lead to, and what is below.</summary>
    public IEnumerable<RecoveredShape> Run(IReadOnlyList<RecoveredName> names, byte[] fallbackName)
    {
        var root = new Folder([], destination.NewNames());
        foreach (RecoveredName name in names)
        {
            foreach (RecoveredShape made in Each(root, name.Name.Length == 0 ? name with { Name = fallbackName } : name))
                yield return made;
            while (_todo.TryPop(out Step? next))
            {
                if (next.Leave is { } attributes)
                {
                    Guarded(next.Folder.Path, () => destination.SetAttributes(next.Folder.Path, attributes));
                    continue;
                }

                foreach (RecoveredShape made in Each(next.Folder, next.Name!))
                    yield return made;
            }
        }
    }

    private IEnumerable<RecoveredShape> Each(Folder folder, RecoveredName name)
    {
        stop.ThrowIfCancellationRequested();
        if (filesOnly && name.Type != ObjectType.File)
            return [];
        IReadOnlyList<RecoveredVersion> versions = recovery.Versions(name);
        if (versions.Count == 0)
            return [];
        return name.Type == ObjectType.Directory ? Directory(folder, name, versions[0]) : Versions(folder, name, versions);
    }

    private IEnumerable<RecoveredShape> Directory(Folder folder, RecoveredName name, RecoveredVersion newest)
    {
        if (_directories.Contains(name.InodeNumber) || folder.Free(name) is not { } hostName || !Taken(folder, name, hostName))
            yield break;
        byte[] path = folder.PathTo(hostName.Host!);
        if (!Guarded(path, () => destination.MakeDirectory(path)))
            yield break;
        _directories.Add(name.InodeNumber);
        folder.Use(hostName);
        Restored++;
        var inside = new Folder(path, destination.NewNames());
        _todo.Push(new Step(inside, null, newest.Attributes));
        foreach (RecoveredName entry in recovery.Entries(name.InodeNumber, stop).Reverse())
            _todo.Push(new Step(inside, entry, null));
        yield return Shape(path, newest, 0);
    }

    private IEnumerable<RecoveredShape> Versions(Folder folder, RecoveredName name, IReadOnlyList<RecoveredVersion> versions)
    {
        int made = 0;
        foreach (RecoveredVersion version in versions)
        {
            stop.ThrowIfCancellationRequested();
            if (folder.Free(name) is not { } hostName || !Taken(folder, name, hostName))
                yield break;
            byte[] path = folder.PathTo(hostName.Host!);
            if (Make(path, version) is not { } lost)
                continue;
            folder.Use(hostName);
            made++;
            Restored++;
            if (lost > 0)
                failures.Add(Failure.At(path, "damaged", $"{ByteSize.Show(lost)} of {ByteSize.Show((long)version.Inode.Size)} are lost, holes stand for them"));
            yield return Shape(path, version, lost);
        }

        if (made == 0)
            failures.Add(Failure.At(folder.PathTo(name.Name.ToArray()), "damaged", $"no version of inode {name.InodeNumber} can be restored whole; recover-relaxed restores what can be read"));
    }

    // Bytes lost, or null when nothing was restored.
    private long? Make(byte[] path, RecoveredVersion version)
    {
        long? lost = 0;
        InodeAttributes attributes = version.Attributes;
        bool done = Guarded(path, () =>
        {
            switch (version.Type)
            {
                case ObjectType.File:
                    lost = MakeFile(path, version);
                    break;
                case ObjectType.Symlink:
                    lost = MakeLink(path, version);
                    break;
                default:
                    if (destination.TryMakeSpecial(path, attributes) is { } problem)
                        throw new IOException(problem);
                    break;
            }

            if (lost is not null)
                destination.SetAttributes(path, attributes);
        });
        return done ? lost : null;
    }

    private long? MakeFile(byte[] path, RecoveredVersion version)
    {
        bool keep = false;
        try
        {
            long lost;
            using (SafeFileHandle file = destination.CreateFile(path))
            {
                destination.AllowHoles(file);
                lost = recovery.Read(version, (offset, bytes) => RandomAccess.Write(file, bytes, offset), stop).Sum(static range => range.Length);
                if (lost == 0 || relaxed)
                    RandomAccess.SetLength(file, (long)version.Inode.Size);
            }

            if (lost > 0)
                DamagedVersions++;
            keep = lost == 0 || relaxed;
            return keep ? lost : null;
        }
        finally
        {
            if (!keep)
                destination.Delete(path);
        }
    }

    private long? MakeLink(byte[] path, RecoveredVersion version)
    {
        byte[] target = new byte[Math.Min((long)version.Inode.Size, FormatLimits.LogicalBlockBytes)];
        bool lost = recovery.Read(version, (offset, bytes) => bytes[..Math.Min(bytes.Length, target.Length)].CopyTo(target), stop).Count > 0;
        if (lost || target.Length == 0 || target.Contains((byte)0))
        {
            DamagedVersions++;
            return null;
        }

        destination.MakeSymlink(path, target, targetIsDirectory: false);
        return 0;
    }

    private bool Taken(Folder folder, RecoveredName name, HostName hostName)
    {
        if (hostName.Host is not null)
            return true;
        failures.Add(Failure.At(folder.PathTo(name.Name.ToArray()), "refused", hostName.Reason));
        return false;
    }

    // A full destination ends the run; anything else is this object's failure.
    private bool Guarded(byte[] path, Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            if (failure.HResult is NoSpaceUnix or NoSpaceWindows)
                throw new CliException(ExitCode.Partial, $"{destination.Show(path)}: no space left", failure);
            failures.Add(Failure.At(path, "cannot_write", failure.Message));
            return false;
        }
    }

    private static RecoveredShape Shape(byte[] path, RecoveredVersion version, long lost)
    {
        var (text, hex) = MediaText.Split(path);
        return new RecoveredShape(
            text, hex, MethodNames.Of(version.Type), version.InodeNumber, $"0x{version.TransactionId:x}", version.IsProven, (long)version.Inode.Size, version.Inode.ModifyTime, lost);
    }

    private sealed record Step(Folder Folder, RecoveredName? Name, InodeAttributes? Leave);

    /// <summary>A name of the destination that nothing has yet; without one, the reason.</summary>
    private sealed record HostName(string Key, byte[]? Host, string Reason);

    /// <summary>A directory that this run made.</summary>
    private sealed class Folder(byte[] path, HostNames names)
    {
        private readonly Dictionary<string, int> _versions = [];
        private HostName? _free;

        public byte[] Path => path;

        public byte[] PathTo(byte[] name) => path.Length == 0 ? name : [.. path, (byte)'/', .. name];

        /// <summary>NAME, or NAME.0001 and so on when that is taken; the same until it is used.</summary>
        public HostName? Free(RecoveredName name)
        {
            string key = Convert.ToHexString(name.Name.Span);
            if (_free?.Key == key)
                return _free;
            for (int number = _versions.GetValueOrDefault(key); number < int.MaxValue; number++)
            {
                byte[] wanted = number == 0 ? name.Name.ToArray() : Numbered(name.Name.Span, number);
                bool taken = names.TryTake(wanted, name.InodeNumber, out byte[] host, out string reason);
                if (!taken && reason.StartsWith("refused", StringComparison.Ordinal))
                    return new HostName(key, null, reason);
                _versions[key] = number + 1;
                if (taken)
                    return _free = new HostName(key, host, "");
            }

            return null;
        }

        public void Use(HostName name)
        {
            if (_free == name)
                _free = null;
        }

        private static byte[] Numbered(ReadOnlySpan<byte> name, int number)
        {
            byte[] suffix = System.Text.Encoding.ASCII.GetBytes(number.ToString("'.'0000", CultureInfo.InvariantCulture));
            int most = FormatLimits.NameBytesMax - Math.Max(NumberBytes, suffix.Length);
            return [.. name[..Math.Min(name.Length, most)], .. suffix];
        }
    }
}
