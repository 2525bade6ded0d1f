// `hammer2 manifest` against the golden manifests: same entries in the same order with the same fields in the same
// order, for every image and every PFS that a manifest describes. Damaged entries must be told apart and
// everything else must still be there.

using System.Text.Json;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class ManifestVerbTests : CliTests
{
    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void PrintsTheGoldenEntries(string name)
    {
        GoldenImage golden = GoldenImages.Get(name);
        foreach (var (label, entries) in golden.Listings())
        {
            CliRun run = CliRun.Of("manifest", CliRun.Image(name) + "@" + label);
            if (golden.Expect == "mount_fails" || golden.Expect == "mount_may_fail" && run.ExitCode != 0)
            {
                run.Expect(3).ExpectOneLine(Path.GetFileName(CliRun.Image(name)));
                continue;
            }

            bool damaged = entries.EnumerateArray().Any(entry => entry.TryGetProperty("damaged", out _));
            run.Expect(damaged ? 1 : 0);
            Assert.AreEqual("label entries", string.Join(' ', run.Json.EnumerateObject().Select(property => property.Name)));
            Assert.AreEqual(label, run.Json.GetProperty("label").GetString());
            Compare(entries, run.Json.GetProperty("entries"));
        }
    }

    // Sound entries must be equal as text, which covers the order of fields; damaged ones carry `error` somewhere.
    private static void Compare(JsonElement golden, JsonElement printed)
    {
        var damaged = golden.EnumerateArray().Where(entry => entry.TryGetProperty("damaged", out _)).Select(ManifestComparer.KeyOf).ToHashSet();
        string[] expected = [.. golden.EnumerateArray().Where(entry => !damaged.Contains(ManifestComparer.KeyOf(entry))).Select(entry => Text(entry, "extents"))];
        string[] actual = [.. printed.EnumerateArray().Where(entry => !damaged.Contains(ManifestComparer.KeyOf(entry))).Select(entry => Text(entry, "error"))];
        CollectionAssert.AreEqual(expected, actual, Difference(expected, actual));
        bool anyError = printed.EnumerateArray().Any(entry => entry.TryGetProperty("error", out _));
        Assert.AreEqual(damaged.Count > 0, anyError, "an `error` is printed exactly for damaged images");
        foreach (JsonElement entry in printed.EnumerateArray().Where(entry => damaged.Contains(ManifestComparer.KeyOf(entry))))
        {
            bool hasDigest = entry.TryGetProperty("sha256", out JsonElement digest) && digest.ValueKind == JsonValueKind.String;
            Assert.IsFalse(hasDigest, "a digest of a damaged file: " + entry);
        }
    }

    private static string Text(JsonElement entry, string without) =>
        string.Join(", ", entry.EnumerateObject().Where(property => property.Name != without).Select(property => $"{property.Name}={Value(property.Value)}"));

    // Spelling of the same JSON value may differ: spaces in arrays, the case of escapes.
    private static string Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => '"' + value.GetString() + '"',
        JsonValueKind.Array => string.Join(',', value.EnumerateArray().Select(Value)),
        _ => value.GetRawText(),
    };

    private static string Difference(string[] expected, string[] actual)
    {
        for (int i = 0; i < Math.Min(expected.Length, actual.Length); i++)
        {
            if (expected[i] != actual[i])
                return $"entry {i}: expected {expected[i]}, printed {actual[i]}";
        }

        return $"{expected.Length} entries expected, {actual.Length} printed";
    }
}
