// Compares an opened PFS with a golden manifest: every entry, every attribute, every byte. Damaged entries must
// fail in the way that the manifest says; everything else must be as listed. Differences are collected as sentences.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Images;

/// <summary>Engine against manifest.</summary>
public sealed class ManifestComparer
{
    private const long HashBytesMax = 64L << 30;
    private readonly PfsMount _pfs;
    private readonly List<string> _differences = [];
    private readonly Dictionary<string, DirectoryRecord> _found = [];
    private readonly HashSet<string> _damagedDirectories = [];
    private readonly Dictionary<long, ulong> _groups = [];

    private ManifestComparer(PfsMount pfs) => _pfs = pfs;

    /// <summary>Returns the differences, at most a few dozen; empty = identical.</summary>
    public static IReadOnlyList<string> Compare(PfsMount pfs, JsonElement entries)
    {
        var comparer = new ManifestComparer(pfs);
        comparer.Walk();
        comparer.CompareAll(entries);
        return comparer._differences;
    }

    /// <summary>The path of a manifest entry as hex of its bytes.</summary>
    public static string KeyOf(JsonElement entry) => entry.TryGetProperty("path_hex", out JsonElement hex)
        ? hex.GetString()!.ToLowerInvariant()
        : Convert.ToHexStringLower(Encoding.UTF8.GetBytes(entry.GetProperty("path").GetString()!));

    private static string Readable(string key) => Encoding.UTF8.GetString(Convert.FromHexString(key));

    private void Differ(string key, string what)
    {
        if (_differences.Count < 40)
            _differences.Add($"{Readable(key)}: {what}");
    }

    private void Walk()
    {
        var pending = new Stack<(ulong Inode, byte[] Path)>();
        pending.Push((PfsMount.RootInodeNumber, "/"u8.ToArray()));
        var visited = new HashSet<ulong>();
        Assert.AreEqual(Hammer2Error.None, _pfs.TryGetAttributes(PfsMount.RootInodeNumber, out InodeAttributes root));
        _found[Convert.ToHexStringLower("/"u8)] = new DirectoryRecord { InodeNumber = 1, Type = ObjectType.Directory, Attributes = root };
        var batch = new DirectoryBatch(100);
        while (pending.TryPop(out (ulong Inode, byte[] Path) item))
        {
            if (!visited.Add(item.Inode))
                continue;
            if (_pfs.TryOpen(item.Inode, out Vnode? vnode) != Hammer2Error.None)
                continue;
            using (vnode)
                ListOne(vnode!, item.Path, batch, pending);
        }
    }

    private void ListOne(Vnode directory, byte[] path, DirectoryBatch batch, Stack<(ulong, byte[])> pending)
    {
        ulong position = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                DirectoryRecord record = batch[i];
                byte[] full = [.. path.AsSpan().TrimEnd((byte)'/'), (byte)'/', .. batch.NameOf(i)];
                string key = Convert.ToHexStringLower(full);
                if (!_found.TryAdd(key, record))
                    Differ(key, "listed twice");
                if (record.Error == Hammer2Error.None && record.Attributes.Type == ObjectType.Directory)
                    pending.Push((record.InodeNumber, full));
            }

            if (batch.Damage.Count > 0)
                _damagedDirectories.Add(Convert.ToHexStringLower(path));
            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
    }

    private void CompareAll(JsonElement entries)
    {
        var expected = new HashSet<string>();
        foreach (JsonElement entry in entries.EnumerateArray())
        {
            string key = KeyOf(entry);
            expected.Add(key);
            try
            {
                if (entry.TryGetProperty("damaged", out JsonElement damaged))
                    CompareDamaged(key, entry, damaged);
                else
                    CompareSound(key, entry);
            }
            catch (Hammer2Exception e)
            {
                Differ(key, "failed: " + e.Message);
            }
        }

        foreach (string key in _found.Keys.Where(k => !expected.Contains(k)))
            Differ(key, "is not in the manifest");
    }

    private void CompareSound(string key, JsonElement entry)
    {
        if (!_found.TryGetValue(key, out DirectoryRecord record))
        {
            Differ(key, "is missing");
            return;
        }

        if (record.Error != Hammer2Error.None)
        {
            Differ(key, $"attributes failed: {record.Error}");
            return;
        }

        CompareAttributes(key, entry, record);
        Hammer2Error error = _pfs.TryResolve(Convert.FromHexString(key), out Vnode? vnode);
        if (error != Hammer2Error.None)
        {
            Differ(key, $"look-up failed: {error}");
            return;
        }

        using (vnode)
        {
            if (vnode!.InodeNumber != record.InodeNumber)
                Differ(key, $"look-up gives inode {vnode.InodeNumber}, the listing {record.InodeNumber}");
            CompareContent(key, entry, vnode);
        }
    }

    private void CompareAttributes(string key, JsonElement entry, DirectoryRecord record)
    {
        InodeAttributes a = record.Attributes;
        Same(key, "type", entry.GetProperty("type").GetString(), MethodNames.Of(a.Type));
        Same(key, "entry type", entry.GetProperty("type").GetString(), MethodNames.Of(record.Type));
        Same(key, "mode", entry.GetProperty("mode").GetString(), Convert.ToString(a.Mode, 8).PadLeft(4, '0'));
        Same(key, "uid", Number(entry, "uid"), a.Uid);
        Same(key, "gid", Number(entry, "gid"), a.Gid);
        Same(key, "nlink", Number(entry, "nlink"), (long)a.LinkCount);
        Same(key, "mtime", Number(entry, "mtime_us"), a.ModifyTimeUs);
        Same(key, "inum", Number(entry, "inum"), (long)a.InodeNumber);
        Same(key, "check", entry.GetProperty("check").GetString(), MethodNames.Of(a.Check));
        Same(key, "comp", entry.GetProperty("comp").GetString(), MethodNames.Of(a.Compression));
        if (entry.TryGetProperty("size", out JsonElement size))
            Same(key, "size", size.GetInt64(), a.Size);
        if (entry.TryGetProperty("comp_level", out JsonElement level))
            Same(key, "comp_level", level.GetInt64(), a.CompressionLevel);
        Same(key, "uflags", entry.TryGetProperty("uflags", out JsonElement flags) ? flags.GetInt64() : 0, a.UserFlags);
        if (entry.TryGetProperty("rdev", out JsonElement rdev))
        {
            Same(key, "major", rdev[0].GetInt64(), a.DeviceMajor);
            Same(key, "minor", rdev[1].GetInt64(), a.DeviceMinor);
        }

        if (entry.TryGetProperty("hardlink_group", out JsonElement group))
        {
            if (!_groups.TryAdd(group.GetInt64(), a.InodeNumber))
                Same(key, "hard link", (long)_groups[group.GetInt64()], (long)a.InodeNumber);
        }
    }

    private static long Number(JsonElement entry, string name) => entry.GetProperty(name).GetInt64();

    private void Same<T>(string key, string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            Differ(key, $"{what} is {actual}, manifest says {expected}");
    }

    private void CompareContent(string key, JsonElement entry, Vnode vnode)
    {
        if (vnode.Type == ObjectType.Symlink)
        {
            string target = entry.TryGetProperty("target_hex", out JsonElement hex)
                ? hex.GetString()! : Convert.ToHexStringLower(Encoding.UTF8.GetBytes(entry.GetProperty("target").GetString()!));
            Same(key, "target", target.ToLowerInvariant(), Convert.ToHexStringLower(vnode.ReadLink()));
        }
        else if (vnode.Type == ObjectType.File && entry.GetProperty("sha256").ValueKind == JsonValueKind.String)
        {
            Same(key, "sha256", entry.GetProperty("sha256").GetString(), Hash(vnode, 0, vnode.GetAttributes().Size));
        }
        else if (vnode.Type == ObjectType.File)
        {
            Assert.IsTrue(vnode.GetAttributes().Size > HashBytesMax, "only huge files may come without a hash");
            CompareExtents(key, entry.GetProperty("extents"), vnode);
        }
    }

    // Huge files: the extents as listed, and no stored byte outside them but zeros.
    private void CompareExtents(string key, JsonElement extents, Vnode vnode)
    {
        long end = 0;
        foreach (JsonElement extent in extents.EnumerateArray())
        {
            long offset = extent.GetProperty("offset").GetInt64();
            long length = extent.GetProperty("length").GetInt64();
            CheckZeros(key, vnode, end, offset);
            Same(key, $"sha256 at {offset}", extent.GetProperty("sha256").GetString(), Hash(vnode, offset, length));
            end = offset + length;
        }

        CheckZeros(key, vnode, end, vnode.GetAttributes().Size);
    }

    private void CheckZeros(string key, Vnode vnode, long from, long to)
    {
        byte[] buffer = new byte[65536];
        long at = from;
        while (at < to && vnode.NextData(at) is long data && data < to)
        {
            int wanted = (int)Math.Min(buffer.Length, to - data);
            int got = vnode.Read(data, buffer.AsSpan(0, wanted));
            if (buffer.AsSpan(0, got).ContainsAnyExcept((byte)0))
                Differ(key, $"bytes between {data} and {data + got} are not zero");
            at = data + got;
        }
    }

    private static string Hash(Vnode vnode, long offset, long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        long end = offset + length;
        while (offset < end)
        {
            int got = vnode.Read(offset, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - offset)));
            Assert.IsGreaterThan(0, got, "a read inside the file gave nothing");
            hash.AppendData(buffer.AsSpan(0, got));
            offset += got;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void CompareDamaged(string key, JsonElement entry, JsonElement damaged)
    {
        bool listed = _found.TryGetValue(key, out DirectoryRecord record);
        switch (damaged.GetProperty("class").GetString())
        {
            case "inode":
                if (!listed || record.Error is not (Hammer2Error.CheckFailed or Hammer2Error.Corrupt or Hammer2Error.Io))
                    Differ(key, $"damaged inode: listed {listed}, error {record.Error}");
                MustFail(key, () => OpenAndDispose(key));
                break;
            case "data":
                CompareDamagedData(key, entry, damaged);
                break;
            case "name_lost":
                if (listed)
                    Differ(key, "is listed although its name is lost");
                MustReportDirectory(key);
                MustFail(key, () => OpenAndDispose(key));
                break;
            case "name_perhaps_lost":
                if (!listed)
                    MustReportDirectory(key);
                break;
            case "unreachable":
                if (listed)
                    Differ(key, "is listed although a directory above it is damaged");
                break;
            case "dangling":
                if (!listed || record.Error != Hammer2Error.NotFound)
                    Differ(key, $"dangling name: listed {listed}, error {record.Error}");
                MustFail(key, () => OpenAndDispose(key));
                break;
            case "size":
                if (!listed || record.Error == Hammer2Error.None && record.Attributes.Size < 0)
                    Differ(key, "absurd size is passed on");
                break;
            default:
                if (!listed)
                    Differ(key, "is missing");
                break;
        }
    }

    private void MustReportDirectory(string key)
    {
        byte[] path = Convert.FromHexString(key);
        byte[] parent = path[..Math.Max(1, path.AsSpan().LastIndexOf((byte)'/'))];
        if (!_damagedDirectories.Contains(Convert.ToHexStringLower(parent)))
            Differ(key, "its directory's listing reports no damage");
    }

    private void OpenAndDispose(string key)
    {
        Hammer2Error error = _pfs.TryResolve(Convert.FromHexString(key), out Vnode? vnode);
        vnode?.Dispose();
        if (error != Hammer2Error.None)
            throw new Hammer2Exception(error, "look-up failed");
    }

    private void MustFail(string key, Action action)
    {
        try
        {
            action();
            Differ(key, "should have failed");
        }
        catch (Hammer2Exception)
        {
            return;
        }
    }

    // Exactly the listed ranges fail; every other byte is compared with the undamaged twin by the caller's image.
    private void CompareDamagedData(string key, JsonElement entry, JsonElement damaged)
    {
        Assert.AreEqual(Hammer2Error.None, _pfs.TryResolve(Convert.FromHexString(key), out Vnode? vnode));
        using (vnode)
        {
            if (vnode!.Type == ObjectType.Symlink)
            {
                MustFail(key, () => vnode.ReadLink());
                return;
            }

            CompareAttributes(key, entry, _found[key]);
            bool othersMayFail = damaged.TryGetProperty("covers", out _);
            long size = vnode.GetAttributes().Size;
            byte[] block = new byte[4096];
            for (long at = 0; at < size; at += block.Length)
            {
                long end = Math.Min(size, at + block.Length);
                bool bad = damaged.GetProperty("ranges").EnumerateArray().Any(r => at < r[0].GetInt64() + r[1].GetInt64() && end > r[0].GetInt64());
                if (bad == Reads(vnode, at, block.AsSpan(0, (int)(end - at))) && !(othersMayFail && !bad))
                    Differ(key, bad ? $"reading at {at} should fail" : $"reading at {at} should work");
            }
        }
    }

    private static bool Reads(Vnode vnode, long offset, Span<byte> buffer)
    {
        try
        {
            return vnode.Read(offset, buffer) == buffer.Length;
        }
        catch (Hammer2Exception)
        {
            return false;
        }
    }
}
