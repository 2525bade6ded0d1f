// docs/manual.md is made of the command itself: the help of every verb, and sessions on a golden image with the output that they
// really have. The test compares; HAMMER2_WRITE_MANUAL=1 writes the page anew. Only commands whose output does not depend on
// the hour or the machine are shown.

using System.Text;
using Hammer2.Cli;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;
using Hammer2.Tests.Style;

namespace Hammer2.Tests.Docs;

[TestClass]
public sealed class ManualTests
{
    private static readonly string[][] s_session =
    [
        ["pfs-list", "disk.img"],
        ["ls", "-l", "disk.img@DATA", "/special"],
        ["stat", "disk.img@DATA", "/sizes/text-2049"],
        ["find", "disk.img@DATA", "/", "--name", "leaf2*"],
        ["pfs-fsid", "disk.img", "DATA"],
        ["setcomp", "disk.img@DATA", "zlib:9", "/many", "-r"],
        ["mv", "disk.img@DATA", "/sizes/text-64", "/moved"],
        ["rm", "disk.img@DATA", "/sizes/text-63"],
        ["fsck", "disk.img"],
        ["setcomp", "disk.img@DATA", "lzma", "/many"],
        ["pfs-delete", "disk.img", "LOCAL"],
        ["snapshot", "restore", "disk.img", "yesterday"],
        ["verify", "disk.img"],
        ["hash", "rc.conf"],
    ];

    [TestMethod]
    public void TheManualIsWhatTheCommandSays()
    {
        string path = Path.Combine(Repository.Root, "docs", "manual.md");
        string made = Make();
        if (Environment.GetEnvironmentVariable("HAMMER2_WRITE_MANUAL") == "1")
            File.WriteAllText(path, made);
        Assert.AreEqual(made, File.ReadAllText(path).ReplaceLineEndings("\n"), "The command says something else by now: run this test with HAMMER2_WRITE_MANUAL=1 and commit docs/manual.md.");
    }

    [TestMethod]
    public void EveryVerbHasItsPlace()
    {
        string made = Make();
        foreach (VerbCommand verb in CommandTree.Verbs())
            StringAssert.Contains(made, $"\n### {verb.Name}\n");
    }

    private static string Make()
    {
        var page = new StringBuilder("# Manual\n\nMade of the command itself by a test: the help of every verb, and before it a session with its real output. What JSON looks like and what exit codes mean is in [cli.md](cli.md).\n\n## A session\n\n");
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        foreach (string[] command in s_session)
        {
            CliRun run = CliRun.Of([.. command.Select(word => word.StartsWith("disk.img", StringComparison.Ordinal) ? image + word["disk.img".Length..] : word)]);
            page.Append("```\n$ hammer2 ").AppendJoin(' ', command).Append('\n')
                .Append(Clean(run.Output, image)).Append(Clean(run.Error, image));
            if (run.ExitCode != 0)
                page.Append("(exit code ").Append(run.ExitCode).Append(")\n");
            page.Append("```\n\n");
        }

        page.Append("## The verbs\n");
        foreach (VerbCommand verb in CommandTree.Verbs().OrderBy(static verb => verb.Name, StringComparer.Ordinal))
        {
            page.Append("\n### ").Append(verb.Name).Append("\n\n");
            Help(page, [verb.Name]);
            foreach (VerbCommand below in verb.Subcommands.OfType<VerbCommand>())
                Help(page, [verb.Name, below.Name]);
        }

        return page.ToString();
    }

    private static void Help(StringBuilder page, string[] verb)
    {
        string text = CliRun.Of([.. verb, "--help"]).Expect(0).Output.ReplaceLineEndings("\n");

        // Options of every verb and the exit codes are said once, in cli.md.
        IEnumerable<string> lines = text.Split('\n')
            .Where(static line => !GlobalOptions.All.Any(option => line.TrimStart().StartsWith(option.Name, StringComparison.Ordinal)) && !line.StartsWith("Exit codes:", StringComparison.Ordinal))
            .Select(static line => line.TrimEnd());
        page.Append("```\n").Append(string.Join('\n', lines).Replace("testhost", "hammer2", StringComparison.Ordinal).Replace(AppContext.BaseDirectory, "/usr/lib/hammer2/", StringComparison.Ordinal).Trim('\n')).Append("\n```\n");
    }

    private static string Clean(string text, string image)
    {
        string clean = text.ReplaceLineEndings("\n").Replace(image, "disk.img", StringComparison.Ordinal);
        return clean.Length == 0 || clean.EndsWith('\n') ? clean : clean + "\n";
    }
}
