// The Debian package and the NuGet package, made here and looked into: the program runs from where the package puts it, what belongs
// to it is there, two builds are the same bytes, and what packing does stays out of the repository.
// Needs dpkg-deb; elsewhere the test says that it was skipped.

using System.IO.Compression;
using System.Security.Cryptography;
using Hammer2.Tests.Cli;

namespace Hammer2.Tests.Packaging;

[TestClass]
public sealed class LinuxPackageTests
{
    [TestMethod]
    [Timeout(1_500_000)]
    public void Debian_package_has_a_program_that_works_and_is_reproducible()
    {
        PackRun.Require("dpkg-deb", "bash", "gzip");
        string locksBefore = LockFiles();
        PackRun.Pack("linux-x64", "Publish;Deb;NuGet", "-p:Compression=zlib");
        Assert.AreEqual(locksBefore, LockFiles(), "packing changed a committed lock file");
        string package = PackRun.Artifact("hammer2_*_amd64.deb");
        using var folder = new TemporaryFolder();
        var (code, text) = PackRun.Run("dpkg-deb", ["-x", package, folder["root"]]);
        Assert.AreEqual(0, code, text);
        string program = folder["root/usr/bin/hammer2"];
        Assert.AreEqual("../lib/hammer2/hammer2", new FileInfo(program).LinkTarget);
        (code, text) = PackRun.Run(program, ["version"]);
        Assert.AreEqual(0, code, text);
        StringAssert.Contains(text, "hammer2 ");
        foreach (string file in new[]
        {
            "usr/lib/systemd/system/hammer2.service", "usr/share/man/man1/hammer2.1.gz", "usr/share/bash-completion/completions/hammer2", "usr/share/doc/hammer2/copyright",
        })
        {
            Assert.IsGreaterThan(100L, new FileInfo(folder["root/" + file]).Length, file);
        }

        (_, string contents) = PackRun.Run("dpkg-deb", ["-c", package]);
        Assert.IsTrue(contents.Split('\n', StringSplitOptions.RemoveEmptyEntries).All(static line => line.Contains(" root/root ", StringComparison.Ordinal)), "owners");
        (_, string control) = PackRun.Run("dpkg-deb", ["-f", package]);
        StringAssert.Contains(control, "fuse3");
        string first = HashOf(package);
        PackRun.PackNow("linux-x64", "Deb", "-p:Compression=zlib");
        Assert.AreEqual(first, HashOf(package), "two builds differ");
    }

    [TestMethod]
    [Timeout(1_500_000)]
    public void Library_package_has_documentation_readme_and_symbols()
    {
        PackRun.Require("dpkg-deb", "bash", "gzip");
        PackRun.Pack("linux-x64", "Publish;Deb;NuGet", "-p:Compression=zlib");
        using (ZipArchive package = ZipFile.OpenRead(PackRun.Artifact("Hammer2.Engine.*.nupkg")))
        {
            string[] names = [.. package.Entries.Select(static entry => entry.FullName)];
            foreach (string name in new[] { "README.md", "lib/net10.0/Hammer2.Engine.dll", "lib/net10.0/Hammer2.Engine.xml" })
                CollectionAssert.Contains(names, name);
        }

        using ZipArchive symbols = ZipFile.OpenRead(PackRun.Artifact("Hammer2.Engine.*.snupkg"));
        CollectionAssert.Contains(symbols.Entries.Select(static entry => entry.FullName).ToArray(), "lib/net10.0/Hammer2.Engine.pdb");
    }

    private static string LockFiles() => string.Join(' ', Directory.GetDirectories(Repository.Root, "Hammer2.*").Order(StringComparer.Ordinal)
        .Select(static folder => Path.Combine(folder, "packages.lock.json")).Where(File.Exists).Select(HashOf));

    private static string HashOf(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexString(SHA256.HashData(stream));
    }
}
