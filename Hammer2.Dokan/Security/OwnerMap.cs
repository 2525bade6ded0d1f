// Which Windows account is which BSD user or group. One line for each: "uid 1001 = S-1-5-21-...", "gid 0 = S-1-5-32-544";
// blank lines and what follows a '#' do not count. Who is not in the map has the identifiers that Samba gives to Unix
// users and groups: S-1-22-1-uid and S-1-22-2-gid.
// Invariants: one to one in both directions. Calls SecurityIdentifierBytes.

using System.Globalization;

namespace Hammer2.Dokan.Security;

/// <summary>The map of owners.</summary>
public sealed class OwnerMap
{
    private const string UnixUsers = "S-1-22-1-";
    private const string UnixGroups = "S-1-22-2-";
    private readonly Dictionary<uint, string> _users = [];
    private readonly Dictionary<uint, string> _groups = [];
    private readonly Dictionary<string, uint> _userIds = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, uint> _groupIds = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>A map without entries.</summary>
    public static OwnerMap Empty { get; } = new();

    /// <summary>Reads a map.</summary>
    /// <exception cref="FormatException">A line is wrong; the message has its number and says what is expected.</exception>
    public static OwnerMap Parse(IEnumerable<string> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        var map = new OwnerMap();
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            string text = line.Split('#')[0].Trim();
            if (text.Length == 0)
                continue;
            string[] sides = text.Split('=', 2, StringSplitOptions.TrimEntries);
            string[] who = sides[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (sides.Length != 2 || who.Length != 2 || who[0] is not ("uid" or "gid")
                || !uint.TryParse(who[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
            {
                throw new FormatException($"line {number} of the owner map: expected 'uid NUMBER = SID' or 'gid NUMBER = SID', not '{text}'");
            }

            try
            {
                SecurityIdentifierBytes.Parse(sides[1]);
            }
            catch (FormatException wrong)
            {
                throw new FormatException($"line {number} of the owner map: {wrong.Message}", wrong);
            }

            bool added = who[0] == "uid"
                ? map._users.TryAdd(id, sides[1]) && map._userIds.TryAdd(sides[1], id)
                : map._groups.TryAdd(id, sides[1]) && map._groupIds.TryAdd(sides[1], id);
            if (!added)
                throw new FormatException($"line {number} of the owner map: {who[0]} {id} or {sides[1]} is there already");
        }

        return map;
    }

    internal string SidOfUser(uint uid) =>
        _users.TryGetValue(uid, out string? sid) ? sid : string.Create(CultureInfo.InvariantCulture, $"{UnixUsers}{uid}");

    internal string SidOfGroup(uint gid) =>
        _groups.TryGetValue(gid, out string? sid) ? sid : string.Create(CultureInfo.InvariantCulture, $"{UnixGroups}{gid}");

    internal bool TryUser(string sid, out uint uid) => _userIds.TryGetValue(sid, out uid) || TryUnix(sid, UnixUsers, out uid);

    internal bool TryGroup(string sid, out uint gid) => _groupIds.TryGetValue(sid, out gid) || TryUnix(sid, UnixGroups, out gid);

    private static bool TryUnix(string sid, string prefix, out uint id)
    {
        id = 0;
        return sid.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
            && uint.TryParse(sid.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out id);
    }
}
