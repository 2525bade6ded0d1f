// Files and directories of a volume as objects, and what copying and measuring them brought. Invariants: an object never changes; Path is spelled as the
// commands take it, also for names that are not text. Calls Running's JSON.

using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>A file, directory, link or special file.</summary>
public sealed class Hammer2Item
{
    internal Hammer2Item(string image, string? label, JsonObject json)
    {
        Image = image;
        Label = label;
        Path = json.MediaText("path") ?? "";
        Name = json.MediaText("name") ?? LastOf(Path);
        Type = json.Text("type");
        Mode = json.Text("mode");
        Uid = json.NumberOrNull("uid");
        Gid = json.NumberOrNull("gid");
        Links = json.NumberOrNull("nlink");
        Inode = json.NumberOrNull("inum");
        Size = json.NumberOrNull("size");
        Allocated = json.NumberOrNull("allocated");
        LastWriteTimeUtc = json.Time("mtime_us");
        ChangeTimeUtc = json.Time("ctime_us");
        CreationTimeUtc = json.Time("btime_us");
        Target = json.MediaText("target");
        Check = json.TextOrNull("check");
        Compression = json.TextOrNull("comp");
        Problem = json.TextOrNull("error");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>The PFS, when it was named.</summary>
    public string? Label { get; }

    /// <summary>Where it is in the PFS.</summary>
    public string Path { get; }

    /// <summary>Last name of the path.</summary>
    public string Name { get; }

    /// <summary>file, dir, symlink, fifo, chardev, blockdev, socket or whiteout.</summary>
    public string Type { get; }

    /// <summary>Rights, four octal digits.</summary>
    public string Mode { get; }

    /// <summary>Owner.</summary>
    public long? Uid { get; }

    /// <summary>Group.</summary>
    public long? Gid { get; }

    /// <summary>Number of names.</summary>
    public long? Links { get; }

    /// <summary>Inode number.</summary>
    public long? Inode { get; }

    /// <summary>Bytes of files and links.</summary>
    public long? Size { get; }

    /// <summary>Bytes on the medium, compressed as stored.</summary>
    public long? Allocated { get; }

    /// <summary>When the contents changed.</summary>
    public DateTime? LastWriteTimeUtc { get; }

    /// <summary>When anything of it changed.</summary>
    public DateTime? ChangeTimeUtc { get; }

    /// <summary>When it was made, if that was recorded.</summary>
    public DateTime? CreationTimeUtc { get; }

    /// <summary>Where a symbolic link leads.</summary>
    public string? Target { get; }

    /// <summary>How new blocks are checked.</summary>
    public string? Check { get; }

    /// <summary>How new blocks are compressed.</summary>
    public string? Compression { get; }

    /// <summary>Why its attributes cannot be read; null when they can.</summary>
    public string? Problem { get; }

    /// <summary>True for directories.</summary>
    public bool PSIsContainer => Type == "dir";

    /// <inheritdoc/>
    public override string ToString() => Path;

    private static string LastOf(string path) => path.Substring(path.LastIndexOf('/') + 1);
}

/// <summary>What was copied.</summary>
public sealed class Hammer2CopyResult
{
    internal Hammer2CopyResult(JsonObject json)
    {
        Destination = json.Text("destination");
        Files = json.Number("files");
        Bytes = json.Number("bytes");
        Directories = json.Number("directories");
        SymbolicLinks = json.Number("symlinks");
        HardLinks = json.Number("hard_links");
        Specials = json.Number("specials");
        Skipped = json.Number("skipped");
        Partial = json.Number("partial");
    }

    /// <summary>Where to.</summary>
    public string Destination { get; }

    /// <summary>Number of files.</summary>
    public long Files { get; }

    /// <summary>Bytes of the files.</summary>
    public long Bytes { get; }

    /// <summary>Number of directories.</summary>
    public long Directories { get; }

    /// <summary>Number of symbolic links.</summary>
    public long SymbolicLinks { get; }

    /// <summary>Number of further names of files.</summary>
    public long HardLinks { get; }

    /// <summary>Number of fifos, sockets and devices.</summary>
    public long Specials { get; }

    /// <summary>Files that were there already.</summary>
    public long Skipped { get; }

    /// <summary>Damaged files of which a part was kept.</summary>
    public long Partial { get; }
}
