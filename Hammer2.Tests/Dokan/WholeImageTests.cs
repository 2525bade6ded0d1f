// Every golden image, copied off the simulated drive by a Win32 program: what the manifest lists must arrive byte for
// byte, and what it calls damaged must fail with an error and with no bytes that pass for right ones.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Dokan.Names;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class WholeImageTests
{
    private const long FileBytesMax = 64 << 20;
    private const int FileCorrupt = 1392;
    private const int Crc = 23;
    private const int IoDevice = 1117;

    /// <summary>Success, not found, path not found, and the errors of damage: what a program can make sense of.</summary>
    private static readonly int[] s_plainErrors = [0, 2, 3, Crc, 267, IoDevice, FileCorrupt];

    public static IEnumerable<object[]> Images => GoldenImages.Names
        .Select(GoldenImages.Get)
        .Where(image => image.Expect is "ok" or "partial" && !image.Manifest.TryGetProperty("partitions", out _) && image.Name != "bigdir")
        .Select(image => new object[] { image.Name });

    [TestMethod]
    [DynamicData(nameof(Images))]
    public void WhatTheManifestListsCanBeCopiedOffTheDrive(string name)
    {
        using DokanVolume volume = DokanVolume.Mount(name);
        JsonElement[] entries = [.. GoldenImages.Get(name).Manifest.GetProperty("entries").EnumerateArray()];
        HashSet<string> ambiguous = [.. entries.Select(ShownPath).GroupBy(path => path, StringComparer.OrdinalIgnoreCase)
            .Where(group => group.Count() > 1).SelectMany(group => group)];
        int compared = 0;
        foreach (JsonElement entry in entries)
        {
            string path = ShownPath(entry);
            if (ambiguous.Contains(path))
                continue; // Case pairs have tests of their own.
            if (entry.TryGetProperty("damaged", out JsonElement damaged))
                CompareDamaged(volume, path, entry, damaged.GetProperty("class").GetString()!);
            else
                CompareWhole(volume, path, entry);
            compared++;
        }

        Assert.IsGreaterThan(0, compared);
    }

    private static string ShownPath(JsonElement entry)
    {
        byte[] path = Convert.FromHexString(ManifestComparer.KeyOf(entry));
        if (path.Length == 1)
            return "\\";
        var shown = new StringBuilder();
        int start = 1;
        while (start <= path.Length)
        {
            int end = Array.IndexOf(path, (byte)'/', start);
            if (end < 0)
                end = path.Length;
            shown.Append('\\').Append(NameMapping.ToWindows(path.AsSpan(start, end - start)));
            start = end + 1;
        }

        return shown.ToString();
    }

    private static void CompareWhole(DokanVolume volume, string path, JsonElement entry)
    {
        Assert.AreEqual(0, volume.Client.GetFileAttributes("\\\\?" + path, out DokanNet.ByHandleFileInformation information), path);
        string type = entry.GetProperty("type").GetString()!;
        Assert.AreEqual(type == "dir", (information.Attributes & FileAttributes.Directory) != 0, path);
        if (type != "file")
            return;
        Assert.AreEqual(entry.GetProperty("size").GetInt64(), information.Length, path);
        Assert.AreEqual(entry.GetProperty("nlink").GetInt32(), information.NumberOfLinks, path);
        if (information.Length > FileBytesMax || entry.GetProperty("sha256").GetString() is not { } hash)
            return;
        Assert.AreEqual(hash, Convert.ToHexStringLower(SHA256.HashData(volume.Client.ReadAll("\\\\?" + path))), path);
    }

    private static void CompareDamaged(DokanVolume volume, string path, JsonElement entry, string kind)
    {
        // Nothing may hang, throw or break a rule of the driver, whatever the damage is; the fixture watches that.
        volume.Client.FindAll(path[..Math.Max(1, path.LastIndexOf('\\'))], "*", out _);
        byte[] bytes = volume.Client.TryReadAll("\\\\?" + path, 1 << 16, out int error);
        switch (kind)
        {
            case "inode" or "dangling" or "name_lost" or "unreachable":
                Assert.AreEqual(FileCorrupt, error, $"{path}: {kind}");
                break;
            case "data" when entry.GetProperty("type").GetString() == "symlink":
                Assert.AreEqual(FileCorrupt, error, path);
                break;
            case "data":
                Assert.IsTrue(error is Crc or FileCorrupt or IoDevice, $"{path}: {error}");
                JsonElement damage = entry.GetProperty("damaged");
                long intact = damage.GetProperty("ranges")[0][0].GetInt64() / 65536 * 65536;
                bool moreMayFail = damage.TryGetProperty("covers", out _);
                Assert.IsTrue(
                    bytes.Length == intact || (moreMayFail && bytes.Length < intact),
                    $"{path}: {bytes.Length} bytes were read, {intact} lie before the damage");
                break;
            default:
                Assert.Contains(error, s_plainErrors, $"{path}: {kind}");
                break;
        }
    }
}
