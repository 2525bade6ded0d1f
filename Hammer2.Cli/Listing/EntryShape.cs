// The JSON and text form of an entry, shared by ls, find, stat, tree and demo so that a script that
// reads one of them reads all. Invariants: properties are only ever added; those that an unreadable inode would have
// given are absent. May call Output and the engine's PFS.

using System.Globalization;
using System.Text.Json.Serialization;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>An entry with all attributes; those of an unreadable inode are absent and <see cref="Error"/> is set.</summary>
internal abstract class EntryShape
{
    public string? Path { get; init; }

    public string? PathHex { get; init; }

    public required string Type { get; init; }

    /// <summary>Four octal digits.</summary>
    public string? Mode { get; init; }

    public uint? Uid { get; init; }

    public uint? Gid { get; init; }

    /// <summary>Files and symbolic links only.</summary>
    public long? Size { get; init; }

    public ulong? Nlink { get; init; }

    public long? MtimeUs { get; init; }

    public long? CtimeUs { get; init; }

    public long? AtimeUs { get; init; }

    public long? BtimeUs { get; init; }

    public uint? Uflags { get; init; }

    public uint[]? Rdev { get; init; }

    public ulong Inum { get; init; }

    public ulong? ParentInum { get; init; }

    /// <summary>Bytes of the blocks below the inode, as the blockref counts them.</summary>
    public long? Allocated { get; init; }

    public string? Target { get; init; }

    public string? TargetHex { get; init; }

    public string? Check { get; init; }

    public string? Comp { get; init; }

    public int? CompLevel { get; init; }

    /// <summary>Why the inode could not be read.</summary>
    public string? Error { get; init; }

    /// <summary>The name as text shows it.</summary>
    [JsonIgnore]
    public string ShownPath => Path is not null ? MediaText.Show(Path)
        : MediaText.Show(Convert.FromHexString(PathHex!));

    [JsonIgnore]
    public string? ShownTarget => Target is not null ? MediaText.Show(Target)
        : TargetHex is not null ? MediaText.Show(Convert.FromHexString(TargetHex)) : null;

    /// <summary>The ten characters of a long listing.</summary>
    [JsonIgnore]
    public string ShownMode => Modes.Show(Type, Mode);

    /// <summary>Size, or "major, minor" of a device.</summary>
    [JsonIgnore]
    public string ShownSize => Rdev is not null ? $"{Rdev[0]}, {Rdev[1]}" : (Size ?? 0).ToString(CultureInfo.InvariantCulture);

    [JsonIgnore]
    public string ShownTime => MtimeUs is { } us ? Times.Show(us) : "?";

    /// <summary>Fills the shape of an entry; a link's target is read when <paramref name="pfs"/> is given.</summary>
    public static T Fill<T>(TreeEntry entry, PfsMount? pfs, FailureList failures, Func<Seed, T> make)
        where T : EntryShape
    {
        var (text, hex) = MediaText.Split(entry.Path);
        string? target = null, targetHex = null, error = entry.IsReadable ? null : ErrorText.OfEntry(entry.Error);
        if (entry.IsReadable && entry.Type == ObjectType.Symlink && pfs is not null)
            (target, targetHex, error) = ReadTarget(entry, pfs, failures);
        return make(new Seed(entry, text, hex, target, targetHex, error));
    }

    protected EntryShape(Seed seed)
    {
        (Path, PathHex, Target, TargetHex, Error) = (seed.Path, seed.PathHex, seed.Target, seed.TargetHex, seed.Error);
        Inum = seed.Entry.InodeNumber;
        if (!seed.Entry.IsReadable)
            return;
        InodeAttributes attributes = seed.Entry.Attributes;
        Mode = Modes.Octal(attributes.Mode);
        (Uid, Gid, Nlink) = (attributes.Uid, attributes.Gid, attributes.LinkCount);
        if (attributes.Type is ObjectType.File or ObjectType.Symlink)
            Size = attributes.Size;
        (MtimeUs, CtimeUs, AtimeUs) = (attributes.ModifyTimeUs, attributes.ChangeTimeUs, attributes.AccessTimeUs);
        BtimeUs = attributes.BirthTimeUs == 0 ? null : attributes.BirthTimeUs;
        Uflags = attributes.UserFlags == 0 ? null : attributes.UserFlags;
        if (attributes.Type is ObjectType.CharDevice or ObjectType.BlockDevice)
            Rdev = [attributes.DeviceMajor, attributes.DeviceMinor];
        ParentInum = attributes.ParentInode;
        Allocated = attributes.AllocatedBytes;
        Check = MethodNames.Of(attributes.Check);
        Comp = MethodNames.Of(attributes.Compression);
        CompLevel = attributes.CompressionLevel == 0 ? null : attributes.CompressionLevel;
    }

    private static (string? Text, string? Hex, string? Error) ReadTarget(TreeEntry entry, PfsMount pfs, FailureList failures)
    {
        var (target, error) = LinkTarget.TryRead(pfs, entry.InodeNumber);
        if (target is null)
        {
            failures.Add(Failure.At(entry.Path, error!.Value.Code, error.Value.Message));
            return (null, null, error.Value.Message);
        }

        var (text, hex) = MediaText.Split(target);
        return (text, hex, null);
    }

    /// <summary>What is known of an entry before its shape is made.</summary>
    internal sealed record Seed(TreeEntry Entry, string? Path, string? PathHex, string? Target, string? TargetHex, string? Error)
    {
        public string TypeName => MethodNames.Of(Entry.Type);
    }
}

/// <summary>Reading link targets without exceptions.</summary>
internal static class LinkTarget
{
    public static (byte[]? Target, (string Code, string Message)? Error) TryRead(PfsMount pfs, ulong inodeNumber)
    {
        try
        {
            Hammer2Error error = pfs.TryOpen(inodeNumber, out Vnode? node);
            if (error != Hammer2Error.None || node is null)
                return (null, (ErrorText.Code(error), ErrorText.OfEntry(error)));
            using (node)
                return (node.ReadLink(), null);
        }
        catch (Hammer2Exception failure)
        {
            return (null, (ErrorText.Code(failure.Error), failure.Message));
        }
    }
}

/// <summary>Permission bits in words.</summary>
internal static class Modes
{
    public static string Octal(uint mode) => Convert.ToString((int)(mode & 0xFFF), 8).PadLeft(4, '0');

    /// <summary><c>drwxr-xr-x</c>; question marks when the inode is unreadable.</summary>
    public static string Show(string type, string? octal)
    {
        char kind = type switch
        {
            "dir" => 'd',
            "file" => '-',
            "symlink" => 'l',
            "fifo" => 'p',
            "chardev" => 'c',
            "blockdev" => 'b',
            "socket" => 's',
            "whiteout" => 'w',
            _ => '?',
        };
        if (octal is null)
            return kind + "?????????";
        int mode = Convert.ToInt32(octal, 8);
        return string.Create(10, (kind, mode), static (text, state) =>
        {
            text[0] = state.kind;
            for (int i = 0; i < 9; i++)
                text[i + 1] = (state.mode & (0x100 >> i)) != 0 ? "rwxrwxrwx"[i] : '-';
            Special(text, 3, (state.mode & 0x800) != 0, 's', 'S');
            Special(text, 6, (state.mode & 0x400) != 0, 's', 'S');
            Special(text, 9, (state.mode & 0x200) != 0, 't', 'T');
        });

        static void Special(Span<char> text, int at, bool set, char withExecute, char without)
        {
            if (set)
                text[at] = text[at] == 'x' ? withExecute : without;
        }
    }
}

/// <summary>Times of the medium as text, always UTC.</summary>
internal static class Times
{
    /// <summary><c>2017-07-14 02:40</c>.</summary>
    public static string Show(long us) => MediaTime.ToUtc(us).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    /// <summary><c>2017-07-14 02:40:00.123456 UTC</c>.</summary>
    public static string ShowFull(long us) =>
        MediaTime.ToUtc(us).ToString("yyyy-MM-dd HH:mm:ss.ffffff 'UTC'", CultureInfo.InvariantCulture);
}
