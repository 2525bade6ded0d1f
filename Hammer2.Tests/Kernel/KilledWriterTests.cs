// What programs were told is durable is there after a kill: of the writing program, and of the process that serves the mount.
// SQLite with both of its journals, and git with all its fsyncs; each acknowledged step is counted by the test. A transaction of
// SQLite is durable with synchronous=FULL in WAL mode; with a journal that is deleted only with EXTRA, which syncs the directory
// after the removal: with FULL the journal may be there again, and the last transaction is rolled back. After each kill the image is clean and both programs find their data whole.
// Layers: the hammer2 command as a process, under a real kernel.

using System.Diagnostics;
using System.Globalization;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class KilledWriterTests : ProgramTestBase
{
    private const int Steps = 25;

    [TestMethod]
    [DataRow("wal", "FULL")]
    [DataRow("delete", "EXTRA")]
    public void Committed_transactions_survive_kills(string journal, string synchronous)
    {
        MountFor("512M", "sqlite3");
        Script($"sqlite3 base.db 'PRAGMA journal_mode={journal}; CREATE TABLE t(i INTEGER PRIMARY KEY, b BLOB);'");
        var committed = 0;
        foreach (var killsMount in (bool[])[false, true, true])
        {
            using var writer = Start("sqlite3", Target + "/base.db");
            writer.StandardInput.WriteLine($"PRAGMA journal_mode={journal}; PRAGMA synchronous={synchronous}; PRAGMA busy_timeout=5000;");
            Assert.AreEqual(journal, writer.StandardOutput.ReadLine());
            Assert.AreEqual("5000", writer.StandardOutput.ReadLine());
            for (var step = 0; step < Steps; step++)
            {
                var next = committed + 1;
                writer.StandardInput.WriteLine($"INSERT INTO t VALUES({next}, randomblob({500 + next * 37 % 6000})); SELECT max(i) FROM t;");
                var answer = writer.StandardOutput.ReadLine();
                Assert.AreEqual(next.ToString(CultureInfo.InvariantCulture), answer, Image.Log);
                committed = next;
            }

            // One more is under way, or not, when the kill comes.
            writer.StandardInput.WriteLine($"INSERT INTO t VALUES({committed + 1}, randomblob(100000));");
            End(writer, killsMount);
            var found = Script("sqlite3 base.db 'PRAGMA integrity_check; SELECT count(*) FROM t; SELECT max(i) FROM t;'").Split('\n');
            Assert.AreEqual("ok", found[0]);
            Assert.AreEqual(found[1], found[2], "a row in the middle is missing");
            var kept = int.Parse(found[1], CultureInfo.InvariantCulture);
            Assert.IsTrue(kept == committed || kept == committed + 1, $"{committed} were committed, {kept} are there");
            committed = kept;
        }

        Image.Unmount();
    }

    [TestMethod]
    public void Git_keeps_its_commits()
    {
        MountFor("512M", "git");
        const string Settings = "-c user.name=n -c user.email=e@x -c core.fsync=all -c core.fsyncMethod=fsync -c gc.auto=0";
        Script("git init -q repo");
        foreach (var killsMount in (bool[])[false, true])
        {
            const string Loop = $"""
                cd "$1/repo" && n=0
                while :; do
                    n=$((n + 1)); head -c 20000 /dev/urandom > "f$((n % 5))"; git add -A || exit 1
                    git {Settings} commit -qm "$n" || exit 1
                    git rev-parse HEAD
                done
                """;
            using var writer = Start("sh", "-c", Loop, "sh", Target);
            var last = "";
            for (var commit = 0; commit < 4; commit++)
                last = writer.StandardOutput.ReadLine() ?? throw new AssertFailedException(writer.StandardError.ReadToEnd() + Image.Log);
            End(writer, killsMount);
            // Locks of the killed git stay, as on any filesystem.
            Script("find repo/.git -name '*.lock' -delete; cd repo && git fsck --full --no-dangling && git cat-file -e " + last);
        }

        Image.Unmount();
    }

    private void End(Process writer, bool killsMount)
    {
        if (killsMount)
            Image.Kill();
        writer.Kill(entireProcessTree: true);
        writer.WaitForExit();
        if (killsMount)
            Image.Mount();
    }

    private static Process Start(string program, params string[] arguments) => Process.Start(
        new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
