// Compares a mounted PFS with a golden manifest through system calls alone: every name as bytes, every attribute, every byte.
// Damaged entries must fail with EIO in the way that the manifest says. Differences are collected as sentences.
// Layers: libc (BytePaths); the engine only as a second opinion on bytes beside damage.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Fuse;

/// <summary>Mount against manifest.</summary>
/// <param name="target">Where it is mounted.</param>
/// <param name="undamaged">The same tree without damage, for the bytes beside it; null if nothing is damaged.</param>
internal sealed class MountComparer(string target, PfsMount? undamaged)
{
    private const int PageBytes = 4096;
    private const long BlockBytes = 65536;
    private const int SeekData = 3;
    private static readonly Dictionary<string, (uint Mode, byte Dirent)> s_types = new()
    {
        ["file"] = (0x8000, 8),
        ["dir"] = (0x4000, 4),
        ["symlink"] = (0xA000, 10),
        ["fifo"] = (0x1000, 1),
        ["chardev"] = (0x2000, 2),
        ["blockdev"] = (0x6000, 6),
        ["socket"] = (0xC000, 12),
    };

    private readonly List<string> _differences = [];
    private readonly Dictionary<string, Dictionary<string, ListedName>> _listings = [];
    private readonly Dictionary<string, int> _listingErrors = [];
    private readonly Dictionary<string, ulong> _inodes = [];
    private readonly HashSet<string> _mayEndWithError = [];

    /// <summary>The differences; empty = identical.</summary>
    public IReadOnlyList<string> Compare(JsonElement entries)
    {
        foreach (var entry in entries.EnumerateArray())
        {
            _inodes[ManifestComparer.KeyOf(entry)] = (ulong)entry.GetProperty("inum").GetInt64();
            if (DamageClass(entry) is "name_lost" or "name_perhaps_lost")
                _mayEndWithError.Add(Parent(ManifestComparer.KeyOf(entry)));
        }

        foreach (var entry in entries.EnumerateArray())
        {
            var key = ManifestComparer.KeyOf(entry);
            if (entry.TryGetProperty("damaged", out var damaged))
                CompareDamaged(key, entry, damaged);
            else
                CompareSound(key, entry);
        }

        foreach (var (directory, names) in _listings)
        {
            foreach (var name in names.Keys)
            {
                if (name is not ("2e" or "2e2e") && !_inodes.ContainsKey(Join(directory, name)))
                    Differ(Join(directory, name), "is not in the manifest");
            }
        }

        return _differences;
    }

    private static string? DamageClass(JsonElement entry) =>
        entry.TryGetProperty("damaged", out var damaged) ? damaged.GetProperty("class").GetString() : null;

    private static string Parent(string key)
    {
        var slash = key.Length - 2;
        while (slash > 0 && !(slash % 2 == 0 && key[slash..(slash + 2)] == "2f"))
            slash--;
        return slash == 0 ? "2f" : key[..slash];
    }

    private static string Join(string directory, string name) => (directory == "2f" ? "" : directory) + "2f" + name;

    private static string Leaf(string key)
    {
        var parent = Parent(key);
        return parent == "2f" ? key[2..] : key[(parent.Length + 2)..];
    }

    private byte[] PathOf(string key) => BytePaths.Below(target, Convert.FromHexString(key));

    private void Differ(string key, string what)
    {
        if (_differences.Count < 40)
            _differences.Add($"{Encoding.UTF8.GetString(Convert.FromHexString(key))}: {what}");
    }

    private void Same<T>(string key, string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            Differ(key, $"{what} is {actual}, should be {expected}");
    }

    private Dictionary<string, ListedName> ListingOf(string directory)
    {
        if (_listings.TryGetValue(directory, out var known))
            return known;
        var error = BytePaths.List(PathOf(directory), out var names);
        var byName = new Dictionary<string, ListedName>();
        foreach (var name in names)
        {
            if (!byName.TryAdd(Convert.ToHexStringLower(name.Name), name))
                Differ(directory, $"lists {Encoding.UTF8.GetString(name.Name)} twice");
        }

        _listingErrors[directory] = error;
        if (error != 0 && (error != -Errno.EIO || !_mayEndWithError.Contains(directory)))
            Differ(directory, $"its listing ends with errno {-error}");
        return _listings[directory] = byName;
    }

    private ListedName? Listed(string key) => key == "2f" ? null : ListingOf(Parent(key)).GetValueOrDefault(Leaf(key));

    private void CompareSound(string key, JsonElement entry)
    {
        var (mode, dirent) = s_types[entry.GetProperty("type").GetString()!];
        var error = BytePaths.Status(PathOf(key), out var status);
        if (error != 0)
        {
            Differ(key, $"lstat fails with errno {-error}");
            return;
        }

        CompareStatus(key, entry, status, mode);
        if (key != "2f")
        {
            if (Listed(key) is { } listed)
            {
                Same(key, "d_ino", status.Inode, listed.Inode);
                Same(key, "d_type", dirent, listed.Type);
            }
            else
            {
                Differ(key, "is not listed");
            }
        }

        switch (entry.GetProperty("type").GetString())
        {
            case "dir":
                CompareDots(key, status.Inode);
                break;
            case "symlink":
                CompareTarget(key, entry);
                break;
            case "file":
                CompareBytes(key, entry);
                break;
        }
    }

    private void CompareStatus(string key, JsonElement entry, FileStatus status, uint type)
    {
        Same(key, "mode", type | Convert.ToUInt32(entry.GetProperty("mode").GetString(), 8), status.Mode);
        Same(key, "uid", entry.GetProperty("uid").GetUInt32(), status.Uid);
        Same(key, "gid", entry.GetProperty("gid").GetUInt32(), status.Gid);
        Same(key, "nlink", entry.GetProperty("nlink").GetUInt32(), status.LinkCount);
        Same(key, "mtime", entry.GetProperty("mtime_us").GetInt64(), status.ModifyTimeUs);
        Same(key, "inode", _inodes[key], status.Inode);
        Same(key, "block size", 65536u, status.BlockSize);
        if (entry.TryGetProperty("size", out var size))
            Same(key, "size", size.GetUInt64(), status.Size);
        if (!entry.TryGetProperty("rdev", out var device))
            return;
        Same(key, "major", device[0].GetUInt32(), status.DeviceMajor);
        Same(key, "minor", device[1].GetUInt32(), status.DeviceMinor);
    }

    private void CompareDots(string key, ulong inode)
    {
        var names = ListingOf(key);
        Same(key, "inode of .", inode, names.GetValueOrDefault("2e")?.Inode);
        // At the root of a mount the kernel knows better than we do what is above.
        var above = key == "2f" ? names.GetValueOrDefault("2e2e")?.Inode : _inodes[Parent(key)];
        Same(key, "inode of ..", above, names.GetValueOrDefault("2e2e")?.Inode);
        if (names.GetValueOrDefault("2e2e") is null)
            Differ(key, "does not list ..");
    }

    private void CompareTarget(string key, JsonElement entry)
    {
        var expected = entry.TryGetProperty("target_hex", out var hex)
            ? hex.GetString()!.ToLowerInvariant()
            : Convert.ToHexStringLower(Encoding.UTF8.GetBytes(entry.GetProperty("target").GetString()!));
        Same(key, "readlink", 0, BytePaths.ReadLink(PathOf(key), out var found));
        Same(key, "target", expected, Convert.ToHexStringLower(found));
    }

    private void CompareBytes(string key, JsonElement entry)
    {
        var descriptor = BytePaths.Open(PathOf(key));
        if (descriptor < 0)
        {
            Differ(key, $"open fails with errno {-descriptor}");
            return;
        }

        try
        {
            if (entry.GetProperty("sha256").ValueKind == JsonValueKind.String)
                Same(key, "sha256", entry.GetProperty("sha256").GetString(), Hash(key, descriptor, 0, entry.GetProperty("size").GetInt64()));
            else
                CompareExtents(key, entry, descriptor);
        }
        finally
        {
            BytePaths.Close(descriptor);
        }
    }

    private void CompareExtents(string key, JsonElement entry, int descriptor)
    {
        var end = 0L;
        foreach (var extent in entry.GetProperty("extents").EnumerateArray())
        {
            var offset = extent.GetProperty("offset").GetInt64();
            var length = extent.GetProperty("length").GetInt64();
            Same(key, $"sha256 at {offset}", extent.GetProperty("sha256").GetString(), Hash(key, descriptor, offset, length));
            // Stored blocks are 64 KiB: the next one begins with the block of the extent, unless that is the block of the last
            // one.
            var from = (end + BlockBytes - 1) & ~(BlockBytes - 1);
            if (from <= offset)
                Same(key, $"SEEK_DATA from {from}", Math.Max(from, offset & ~(BlockBytes - 1)), BytePaths.Seek(descriptor, from, SeekData));
            end = offset + length;
        }
    }

    private string Hash(string key, int descriptor, long offset, long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        while (length > 0)
        {
            var got = BytePaths.Read(descriptor, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length)), offset);
            if (got <= 0)
            {
                Differ(key, $"read at {offset} gives {got}");
                break;
            }

            hash.AppendData(buffer, 0, got);
            offset += got;
            length -= got;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void CompareDamaged(string key, JsonElement entry, JsonElement damaged)
    {
        var error = BytePaths.Status(PathOf(key), out var status);
        var kind = damaged.GetProperty("class").GetString();
        switch (kind)
        {
            case "inode":
            case "dangling":
                Same(key, "lstat", -Errno.EIO, error);
                if (Listed(key) is null)
                    Differ(key, "is not listed");
                break;
            case "data":
                Same(key, "lstat", 0, error);
                CompareStatus(key, entry, status, s_types[entry.GetProperty("type").GetString()!].Mode);
                CompareDamagedData(key, damaged, status);
                break;
            case "name_lost":
                Same(key, "lstat", -Errno.EIO, error);
                if (Listed(key) is not null)
                    Differ(key, "is listed although its name is lost");
                Same(key, "end of its directory's listing", -Errno.EIO, _listingErrors[Parent(key)]);
                break;
            case "name_perhaps_lost":
                if (Listed(key) is null)
                    Same(key, "end of its directory's listing", -Errno.EIO, _listingErrors[Parent(key)]);
                break;
            case "unreachable":
                if (error == 0)
                    Differ(key, "can be reached through a damaged directory");
                break;
            case "size":
                CompareAbsurdSize(key);
                break;
            default:
                if (Listed(key) is null)
                    Differ(key, "is not listed");
                break;
        }
    }

    private void CompareAbsurdSize(string key)
    {
        var descriptor = BytePaths.Open(PathOf(key));
        if (descriptor < 0)
            return;
        var got = BytePaths.Read(descriptor, new byte[PageBytes], 0);
        if (got is < 0 and not -Errno.EIO)
            Differ(key, $"read gives {got}");
        BytePaths.Close(descriptor);
    }

    private void CompareDamagedData(string key, JsonElement damaged, FileStatus status)
    {
        if ((status.Mode & 0xF000) == 0xA000)
        {
            Same(key, "readlink", -Errno.EIO, BytePaths.ReadLink(PathOf(key), out _));
            return;
        }

        var othersMayFail = damaged.TryGetProperty("covers", out _);
        Assert.AreEqual(Hammer2Error.None, undamaged!.TryResolve(Convert.FromHexString(key), out var twin));
        using (twin)
        {
            var descriptor = BytePaths.Open(PathOf(key));
            var page = new byte[PageBytes];
            var right = new byte[PageBytes];
            for (var at = 0L; at < (long)status.Size; at += PageBytes)
            {
                var end = Math.Min((long)status.Size, at + PageBytes);
                var bad = damaged.GetProperty("ranges").EnumerateArray()
                    .Any(range => at < range[0].GetInt64() + range[1].GetInt64() && end > range[0].GetInt64());
                var got = BytePaths.Read(descriptor, page, at);
                if (got > 0)
                {
                    twin!.Read(at, right);
                    if (bad || !page.AsSpan(0, got).SequenceEqual(right.AsSpan(0, got)))
                        Differ(key, $"wrong bytes at {at}");
                }
                else if (got != -Errno.EIO || !(bad || othersMayFail))
                {
                    Differ(key, $"read at {at} gives {got}");
                }
            }

            BytePaths.Close(descriptor);
        }
    }
}
