// Everything that can be read of a volume, as text by path: attributes, and digests of contents. What cannot be read is
// "unreadable". Two pictures tell what a repair changed and what became worse.

using System.Security.Cryptography;
using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Checking;

/// <summary>One object under one path.</summary>
/// <param name="Inode">Its number.</param>
/// <param name="Content">Digest of a file, target of a link, "directory"; null when it cannot be read.</param>
/// <param name="Attributes">The rest.</param>
internal sealed record PictureEntry(ulong Inode, string? Content, string Attributes);

/// <summary>A picture of all PFSs.</summary>
internal sealed class TreePicture
{
    private const int ObjectsMax = 20_000;
    private const long ReadMax = 4L << 20;
    private readonly byte[] _buffer = new byte[1 << 20];

    /// <summary>By "label:path".</summary>
    internal Dictionary<string, PictureEntry> Entries { get; } = new(StringComparer.Ordinal);

    /// <summary>Paths whose contents can be read.</summary>
    internal int Readable => Entries.Values.Count(e => e.Content is not null);

    internal static TreePicture Of(params IReadOnlyList<IBlockDevice> devices)
    {
        var picture = new TreePicture();
        try
        {
            using Hammer2Volume volume = Hammer2Volume.Open([.. devices.Select(d => new Lent(d))], new VolumeOptions { CacheBytesMax = 8 << 20 });
            foreach (PfsInfo info in volume.ListPfs(out _))
                picture.Add(volume, info.Label);
        }
        catch (Hammer2Exception)
        {
            // Nothing can be read.
            return picture;
        }

        return picture;
    }

    /// <summary>What could be read here and is gone or other there, by path; renamed objects are found by their inode.</summary>
    internal IEnumerable<string> WorseThan(TreePicture before)
    {
        ILookup<(string, ulong), PictureEntry> byInode = Entries.ToLookup(e => (e.Key[..e.Key.IndexOf(':')], e.Value.Inode), e => e.Value);
        foreach ((string path, PictureEntry was) in before.Entries)
        {
            // A name that leads to the root is no file, and the root needs no name.
            if (was.Content is null || was.Inode == PfsMount.RootInodeNumber)
                continue;
            bool same = Entries.TryGetValue(path, out PictureEntry? now) && now.Content == was.Content && now.Inode == was.Inode;
            if (!same && !byInode[(path[..path.IndexOf(':')], was.Inode)].Any(e => e.Content == was.Content))
                yield return $"{path} was {was}, is {now}";
        }
    }

    private void Add(Hammer2Volume volume, string label)
    {
        try
        {
            using PfsMount pfs = volume.OpenPfs(label);
            var pending = new Queue<(ulong Inode, string Path)>([(PfsMount.RootInodeNumber, "")]);
            var seen = new HashSet<ulong>();
            while (Entries.Count < ObjectsMax && pending.TryDequeue(out (ulong Inode, string Path) item))
            {
                if (seen.Add(item.Inode))
                    List(pfs, label, item.Inode, item.Path, pending);
            }
        }
        catch (Hammer2Exception)
        {
            // This PFS cannot be opened; the others can.
            return;
        }
    }

    private void List(PfsMount pfs, string label, ulong number, string path, Queue<(ulong Inode, string Path)> pending)
    {
        try
        {
            if (pfs.TryOpen(number, out Vnode? directory) != Hammer2Error.None)
                return;
            using (directory)
            {
                var batch = new DirectoryBatch(200);
                ulong position = 0;
                do
                {
                    directory!.ReadDirectory(position, batch);
                    for (int i = 0; i < batch.Count; i++)
                        Visit(pfs, label, directory, $"{path}/{Convert.ToHexString(batch.NameOf(i))}|{Encoding.UTF8.GetString(batch.NameOf(i))}", batch.NameOf(i).ToArray(), batch[i], pending);
                    position = batch.NextPosition;
                }
                while (!batch.EndOfDirectory && Entries.Count < ObjectsMax);
            }
        }
        catch (Hammer2Exception)
        {
            // What was listed until here counts.
            return;
        }
    }

    private void Visit(
        PfsMount pfs, string label, Vnode directory, string path, byte[] name, in DirectoryRecord record, Queue<(ulong Inode, string Path)> pending)
    {
        // By its number, as the listing leads there; whether the name leads there too belongs to the attributes.
        string key = $"{label}:{path}";
        string attributes = "";
        string? content = null;
        ulong number = record.InodeNumber;
        try
        {
            bool opens = pfs.TryLookup(directory, name, out Vnode? byName) == Hammer2Error.None;
            byName?.Dispose();
            if (pfs.TryOpen(number, out Vnode? vnode) == Hammer2Error.None)
            {
                using (vnode)
                {
                    InodeAttributes a = vnode!.GetAttributes();
                    attributes = $"{record.Type} {opens} {a.Type} {a.Mode} {a.Uid} {a.Gid} {a.Size} {a.LinkCount} {a.ModifyTimeUs} {a.ChangeTimeUs} {a.UserFlags} {a.Compression} {a.Check} {a.ParentInode}";
                    content = ContentOf(vnode, a);
                    if (a.Type == ObjectType.Directory)
                        pending.Enqueue((number, path));
                }
            }
        }
        catch (Hammer2Exception e)
        {
            attributes += e.Error;
        }

        Entries.TryAdd(key, new PictureEntry(number, content, attributes));
    }

    private string ContentOf(Vnode vnode, in InodeAttributes attributes)
    {
        if (attributes.Type == ObjectType.Symlink)
            return Encoding.UTF8.GetString(vnode.ReadLink());
        if (attributes.Type != ObjectType.File)
            return attributes.Type.ToString();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long at = 0; at < Math.Min(attributes.Size, ReadMax);)
        {
            int got = vnode.Read(at, _buffer);
            if (got == 0)
                break;
            hash.AppendData(_buffer, 0, got);
            at += got;
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }
}

/// <summary>A device that stays open when its borrower is done.</summary>
internal sealed class Lent(IBlockDevice below) : IBlockDevice
{
    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

    public void Flush() => below.Flush();

    public void Dispose()
    {
        // The lender closes it.
    }
}
