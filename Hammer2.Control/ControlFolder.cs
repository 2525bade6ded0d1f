// The folder of the Unix sockets, one for each user. Invariants: it belongs to the user and nobody else can enter it, which
// is checked each time; what belongs to somebody else is never listened in, and is looked into by root only.

using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Hammer2.Control;

/// <summary>Folders of sockets.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class ControlFolder
{
    private const string Prefix = "hammer2-";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // Not the user's temporary folder, which differs between sessions: a client must come to the same place.
    private const string Root = "/tmp";

    /// <summary>This user's folder; made when it is missing.</summary>
    /// <exception cref="ControlException">Somebody else made it.</exception>
    public static string OfThisUser()
    {
        string path = Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{EffectiveUserId()}"));
        Directory.CreateDirectory(path, OwnerOnly);
        if (!IsOwn(path, EffectiveUserId()))
            throw new ControlException($"{path} belongs to somebody else or is open to others; remove it, or mount with --no-control");
        return path;
    }

    /// <summary>The folders that this user may look into: its own, for root all.</summary>
    public static IEnumerable<string> OfAnyUser()
    {
        uint self = EffectiveUserId();
        foreach (string path in Directory.EnumerateDirectories(Root, Prefix + "*"))
        {
            if (uint.TryParse(Path.GetFileName(path).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out uint user)
                && (user == self || self == 0) && IsOwn(path, user))
                yield return path;
        }
    }

    private static bool IsOwn(string path, uint user)
    {
        var info = new DirectoryInfo(path);
        return info.LinkTarget is null && info.Exists && info.UnixFileMode == OwnerOnly && PeerCredentials.OwnerOf(path) == user;
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint EffectiveUserId();
}
