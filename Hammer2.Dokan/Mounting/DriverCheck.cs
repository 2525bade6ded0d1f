// Is there a driver that this front end can work with? The sentences that the user reads when there is none.
// Invariants: pure, tested everywhere. The library's version is hundred times major plus minor and patch (231 = 2.3.1);
// the driver reports an interface number of its own, of which only "none" (0) means anything here. Calls nothing.

namespace Hammer2.Dokan.Mounting;

/// <summary>Judges versions.</summary>
internal static class DriverCheck
{
    internal const int LibraryVersionMin = 231;

    private const string WhereToGet =
        "Install Dokany 2.3.1 or later from https://github.com/dokan-dev/dokany/releases and restart Windows if asked.";

    /// <summary>What to say when the library cannot be loaded.</summary>
    internal const string NoLibrary =
        "The Dokany library dokan2.dll was not found: Dokany is not installed, or it is an old version 1. " + WhereToGet;

    /// <summary>Null when all is well, otherwise the sentence for the user.</summary>
    internal static string? Complaint(int libraryVersion, int driverVersion)
    {
        if (driverVersion == 0)
            return "The Dokany driver is not running. " + WhereToGet;
        if (libraryVersion < 200)
            return $"The installed Dokany is version 1 (library {libraryVersion}); version 2 is needed. " + WhereToGet;
        if (libraryVersion >= 300)
            return $"The installed Dokany library reports version {libraryVersion}; this program knows version 2. " + WhereToGet;
        return libraryVersion < LibraryVersionMin
            ? $"The installed Dokany is too old (library {libraryVersion}, needed {LibraryVersionMin}). " + WhereToGet
            : null;
    }
}
