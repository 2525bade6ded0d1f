// The Windows installer, made here and run under Wine in a prefix of its own: what it installs works, what it registers is right, a
// second installation does not double it, and after the uninstaller nothing is left, except files that are not ours.
// Without DokanNet the package cannot mount; everything else of it is what is handed out.

using System.Security.Cryptography;
using Hammer2.Tests.Cli;

namespace Hammer2.Tests.Packaging;

[TestClass]
public sealed class WindowsPackageTests
{
    private const string Folder = @"C:\Program Files\Hammer2";
    private const string UninstallKey = @"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\Hammer2";
    private const string EnvironmentKey = @"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
    private static readonly string[] s_fast = ["-p:WithoutDokanNet=accepted", "-p:Compression=zlib"];

    [TestMethod]
    [Timeout(1_500_000)]
    public void Installer_installs_a_program_that_works_and_takes_everything_away()
    {
        PackRun.Require("makensis", "wine");
        PackRun.Pack("win-x64", "Publish;Installer;Winget", s_fast);
        using var folder = new TemporaryFolder();
        var wine = new Wine(folder["prefix"]);
        try
        {
            wine.Run("wineboot", "-i");
            string before = wine.Run("reg", "query", EnvironmentKey, "/v", "Path").Text;
            string setup = PackRun.Artifact("hammer2-*-win-x64-without-mount-setup.exe");
            wine.Run(setup, "/S").Expect(0);
            CheckInstalled(wine);
            UseTheProgram(wine, folder["work"]);

            // Over itself: the previous version goes, and nothing is there twice.
            string stale = wine.PathOf(Folder + @"\mine.txt");
            File.WriteAllText(stale, "a file of the user");
            wine.Run(setup, "/S").Expect(0);
            CheckInstalled(wine);
            Assert.IsTrue(File.Exists(stale), "a file that is not ours was removed");
            File.Delete(stale);

            wine.Run(Folder + @"\uninstall.exe", "/S").Expect(0);
            WaitUntilGone(wine.PathOf(Folder));
            Assert.AreEqual(Normal(before), Normal(wine.Run("reg", "query", EnvironmentKey, "/v", "Path").Text));
            foreach (string key in new[] { UninstallKey, @"HKLM\Software\Classes\Hammer2.Image", @"HKLM\Software\Classes\.h2", @"HKLM\Software\Classes\.hammer2" })
                Assert.AreNotEqual(0, wine.Run("reg", "query", key).Code, key);
        }
        finally
        {
            wine.Stop();
        }
    }

    [TestMethod]
    [Timeout(1_500_000)]
    public void Options_leave_parts_out_and_choose_the_folder()
    {
        PackRun.Require("makensis", "wine");
        PackRun.Pack("win-x64", "Publish;Installer;Winget", s_fast);
        using var folder = new TemporaryFolder();
        var wine = new Wine(folder["prefix"]);
        try
        {
            wine.Run("wineboot", "-i");
            wine.Run(PackRun.Artifact("hammer2-*-win-x64-without-mount-setup.exe"), "/S", "/NOPATH", "/NOEXPLORER", @"/D=C:\elsewhere").Expect(0);
            wine.Run(@"C:\elsewhere\hammer2.exe", "version").Expect(0);
            Assert.IsFalse(Directory.Exists(wine.PathOf(Folder)));
            Assert.IsFalse(wine.Run("reg", "query", EnvironmentKey, "/v", "Path").Text.Contains("elsewhere", StringComparison.Ordinal));
            Assert.AreNotEqual(0, wine.Run("reg", "query", @"HKLM\Software\Classes\Hammer2.Image").Code);
            wine.Run(@"C:\elsewhere\uninstall.exe", "/S").Expect(0);
            WaitUntilGone(wine.PathOf(@"C:\elsewhere"));
        }
        finally
        {
            wine.Stop();
        }
    }

    [TestMethod]
    [Timeout(1_500_000)]
    public void Winget_manifest_names_this_installer()
    {
        PackRun.Require("makensis");
        PackRun.Pack("win-x64", "Publish;Installer;Winget", s_fast);
        string manifest = File.ReadAllText(Path.Combine(Repository.Root, "artifacts", "winget-win-x64", "Hammer2.Hammer2.installer.yaml"));
        using FileStream setup = File.OpenRead(PackRun.Artifact("hammer2-*-win-x64-without-mount-setup.exe"));
        StringAssert.Contains(manifest, "InstallerSha256: " + Convert.ToHexString(SHA256.HashData(setup)));
        Assert.IsFalse(manifest.Contains('@', StringComparison.Ordinal), "a place was not filled");
    }

    private static void CheckInstalled(Wine wine)
    {
        string path = wine.Run("reg", "query", EnvironmentKey, "/v", "Path").Text;
        Assert.AreEqual(2, path.Split(Folder).Length, "on the PATH once: " + path);
        StringAssert.Contains(path, "REG_EXPAND_SZ");
        StringAssert.Contains(path, "%SystemRoot%");
        string entry = wine.Run("reg", "query", UninstallKey).Expect(0).Text;
        foreach (string value in new[] { "DisplayName", "DisplayVersion", "Publisher", "UninstallString", "QuietUninstallString", "EstimatedSize", Folder })
            StringAssert.Contains(entry, value);
        foreach (string ending in new[] { ".h2", ".hammer2" })
            StringAssert.Contains(wine.Run("reg", "query", @"HKLM\Software\Classes\" + ending, "/ve").Expect(0).Text, "Hammer2.Image");
        foreach (string verb in new[] { "mount", "mount-read-only", "verify" })
            StringAssert.Contains(wine.Run("reg", "query", $@"HKLM\Software\Classes\Hammer2.Image\shell\{verb}\command", "/ve").Expect(0).Text, Folder + @"\hammer2.exe");
    }

    private static void UseTheProgram(Wine wine, string work)
    {
        string program = Folder + @"\hammer2.exe";
        Directory.CreateDirectory(work);
        File.WriteAllText(Path.Combine(work, "hello.txt"), "hello from Windows");
        string image = @"Z:" + work.Replace('/', '\\') + @"\a.h2";
        StringAssert.Contains(wine.Run(program, "version").Expect(0).Text, "hammer2 ");
        wine.Run(program, "newfs", "--size", "256M", image).Expect(0);
        wine.Run(program, "put", image, @"Z:" + work.Replace('/', '\\') + @"\hello.txt", "/hello.txt").Expect(0);
        StringAssert.Contains(wine.Run(program, "ls", image).Expect(0).Text, "hello.txt");
        StringAssert.Contains(wine.Run(program, "cat", image, "/hello.txt").Expect(0).Text, "hello from Windows");
        wine.Run(program, "verify", image).Expect(0);
        // What the program made there is right here too.
        CliRun.Of("fsck", Path.Combine(work, "a.h2")).Expect(0);
    }

    private static string Normal(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    // The uninstaller goes on as a copy of itself after the program that was called has returned.
    private static void WaitUntilGone(string folder)
    {
        DateTime end = DateTime.UtcNow + TimeSpan.FromMinutes(2);
        using var never = new ManualResetEvent(false);
        while (Directory.Exists(folder) && DateTime.UtcNow < end)
            never.WaitOne(TimeSpan.FromMilliseconds(200));
        Assert.IsFalse(Directory.Exists(folder), Directory.Exists(folder) ? string.Join(' ', Directory.GetFileSystemEntries(folder).Take(20)) : "");
        // The registry follows the files.
        never.WaitOne(TimeSpan.FromSeconds(2));
    }

    private sealed class Wine(string prefix)
    {
        // .NET maps its code twice, which Wine 8 does not follow, hence the second.
        private readonly Dictionary<string, string?> _environment = new()
        {
            ["WINEPREFIX"] = prefix,
            ["DOTNET_EnableWriteXorExecute"] = "0",
            ["WINEDEBUG"] = "-all",
            ["DISPLAY"] = null,
            ["HAMMER2_SETTINGS"] = null,
        };

        public Outcome Run(string program, params string[] arguments)
        {
            // Into a file: the server and services that Wine leaves running would hold a pipe open.
            string output = prefix + ".out";
            var (code, _) = PackRun.Run("sh", ["-c", "out=$1; shift; exec wine \"$@\" > \"$out\" 2>&1 < /dev/null", "sh", output, program, .. arguments], _environment);
            return new Outcome(code, File.ReadAllText(output), $"{program} {string.Join(' ', arguments)}");
        }

        public string PathOf(string path) => Path.Combine(prefix, "drive_c", path[3..].Replace('\\', '/'));

        public void Stop() => _ = PackRun.Run("wineserver", ["-k"], _environment);
    }

    private sealed record Outcome(int Code, string Text, string What)
    {
        public Outcome Expect(int code)
        {
            Assert.AreEqual(code, Code, $"{What}: {Text}");
            return this;
        }
    }
}
