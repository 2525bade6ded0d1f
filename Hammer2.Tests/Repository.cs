// Where the repository is, for tests that look at its own files.
// Such tests need a checkout; from a copied folder they fail and say so.

namespace Hammer2.Tests;

/// <summary>The checkout that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder of Hammer2.sln, found upwards from the tests' assembly.</summary>
    internal static string Root { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Hammer2.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException("Hammer2.sln is not above the tests' assembly; run the tests from a checkout.");
    }
}
