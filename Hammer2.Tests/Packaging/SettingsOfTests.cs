// The settings that verbs keep (saved mounts, remembered access) go to a folder of this test run, also those of processes that tests
// start: they inherit the variable. Nothing of a test reaches the settings of who runs it.

using Hammer2.Cli.Saved;

namespace Hammer2.Tests.Packaging;

[TestClass]
public class SettingsOfTests
{
    private static DirectoryInfo? s_folder;

    [AssemblyInitialize]
    public static void UseOwnFolder(TestContext _)
    {
        s_folder = Directory.CreateTempSubdirectory("hammer2-settings-");
        Environment.SetEnvironmentVariable(SettingsFolder.Variable, s_folder.FullName);
        // Mounts and services that are processes of their own keep logs there.
        Environment.SetEnvironmentVariable("XDG_DATA_HOME", s_folder.FullName);
    }

    [AssemblyCleanup]
    public static void RemoveOwnFolder() => s_folder?.Delete(recursive: true);

    [TestMethod]
    public void Settings_of_this_run_are_its_own() =>
        StringAssert.StartsWith(SettingsFolder.OfUser().Path, s_folder!.FullName);
}
