// Names whose directory hashes are equal, found by trying. The high half of the hash is a sum over the parts of a name, so
// parts in any order with any separators between share it; the folded low half then leaves one chance in 65536.
// Computed once; deterministic.

using System.Text;
using Hammer2.Engine.Format;

namespace Hammer2.Torture.Model;

/// <summary>Groups of names with one hash.</summary>
internal static class CollidingNames
{
    private const int NamesTried = 200_000;
    private const string Separators = "._-~";
    private static readonly string[] s_parts = ["alpha", "be", "gamma", "de", "eps", "zeta"];
    private static readonly Lazy<IReadOnlyList<IReadOnlyList<string>>> s_groups = new(Find);

    /// <summary>Groups of at least three names.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Groups => s_groups.Value;

    private static List<IReadOnlyList<string>> Find()
    {
        var random = new Random(1);
        var byHash = new Dictionary<ulong, List<string>>();
        var tried = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < NamesTried; i++)
        {
            string[] parts = [.. s_parts];
            random.Shuffle(parts);
            var name = new StringBuilder(parts[0]);
            foreach (string part in parts.Skip(1))
                name.Append(Separators[random.Next(Separators.Length)]).Append(part);
            if (!tried.Add(name.ToString()))
                continue;
            ulong hash = DirectoryHash.Compute(Encoding.Latin1.GetBytes(name.ToString()));
            if (!byHash.TryGetValue(hash, out List<string>? group))
                byHash.Add(hash, group = []);
            group.Add(name.ToString());
        }

        return [.. byHash.Values.Where(static group => group.Count >= 3).OrderByDescending(static group => group.Count).Take(200)];
    }
}
