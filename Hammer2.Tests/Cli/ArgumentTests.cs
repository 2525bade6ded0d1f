// What users get wrong: every mistake ends with exit code 2 or 3 and one line that says what to do; help has
// examples that parse; completion knows verbs and options; the documentation leaves no verb or option out.
// Runs the command in the process.

using System.CommandLine;
using System.Text.RegularExpressions;
using Hammer2.Cli;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class ArgumentTests : CliTests
{
    public static IEnumerable<object[]> VerbNames => CommandTree.Verbs().Select(verb => new object[] { verb.Name });

    [TestMethod]
    [DynamicData(nameof(VerbNames))]
    public void HelpOfEveryVerbHasExamplesThatParse(string verb)
    {
        CliRun run = CliRun.Of(verb, "--help").Expect(0);
        StringAssert.Contains(run.Output, "Examples:");
        StringAssert.Contains(run.Output, "Exit codes:");
        StringAssert.Contains(run.Output, "--json");
        string[] examples = [.. run.Lines
            .SkipWhile(line => line != "Examples:")
            .Skip(1)
            .TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal))];
        Assert.AreNotEqual(0, examples.Length);
        foreach (string example in examples)
        {
            string command = example[example.IndexOf("hammer2", StringComparison.Ordinal)..]
                .Split('|', '>', '<', ')')[0].Replace("'", "", StringComparison.Ordinal);
            Assert.AreEqual(0, CommandTree.Build().Parse(command["hammer2".Length..]).Errors.Count, example);
        }
    }

    [TestMethod]
    public void EveryVerbAndOptionIsDocumented()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "cli.md"));
        foreach (VerbCommand verb in CommandTree.Verbs())
        {
            StringAssert.Matches(page, new Regex($@"^### (.*, )?{verb.Name}\b", RegexOptions.Multiline), verb.Name);
            string section = page[page.IndexOf("## Verbs", StringComparison.Ordinal)..];
            foreach (Option option in verb.Options.Where(option => !option.Hidden))
            {
                bool named = option.Aliases.Append(option.Name)
                    .Any(name => section.Contains('`' + name, StringComparison.Ordinal));
                Assert.IsTrue(named, $"{verb.Name} {option.Name}");
            }
        }
    }

    [TestMethod]
    [DataRow("cidprune", "describes")]
    [DataRow("mountall", "hammer2 mount")]
    [DataRow("snapshot-debug", "hammer2 snapshot")]
    [DataRow("connect", "clustering")]
    [DataRow("rsadec", "clustering")]
    public void DirectivesThatAreNotHereSayWhy(string directive, string words)
    {
        CliRun.Of(directive).Expect(2).ExpectOneLine($"'{directive}'", words);
        CliRun.Of(directive, "disk.img").Expect(2).ExpectOneLine($"'{directive}'", words);
    }

    [TestMethod]
    public void WhatIsNoNumberAndNoIdIsCalledSoInWordsOfEverybody()
    {
        CliRun run = CliRun.Of("pfs-create", "disk.img", "x", "-u", "zz").Expect(2).ExpectOneLine("--cluster wants a UUID", "'zz'", "pfs-create --help");
        Assert.DoesNotContain("System", run.Error);
        CliRun.Of("usage", "disk.img", "-n", "many").Expect(2).ExpectOneLine("--directories wants a number", "'many'");
        CliRun.Of("growfs", "disk.img", "abc").Expect(2).ExpectOneLine("a size such as");
    }

    [TestMethod]
    public void AVerbBelowAnotherIsCalledByItsWholeName()
    {
        CliRun.Of("snapshot", "list").Expect(2).ExpectOneLine("snapshot list needs IMAGE", "'hammer2 snapshot list --help'");
        CliRun.Of("snapshot", "restore", "disk.img").Expect(2).ExpectOneLine("snapshot restore needs SNAPSHOT");
    }

    [TestMethod]
    public void APfsThatIsNotThereIsCode3Everywhere()
    {
        string image = CliRun.Image("multi-pfs");
        CliRun.Of("snapshot", "diff", image + "@MAIN", "nosuch").Expect(3).ExpectOneLine("nosuch", "snap-1");
        CliRun.Of("snapshot", "diff", image, "snap-1").Expect(3).ExpectOneLine("name one as @LABEL");
        CliRun.Of("pfs-clid", image, "nosuch").Expect(3).ExpectOneLine("nosuch", "snap-1");
        CliRun.Of("ls", image + "@nosuch").Expect(3).ExpectOneLine("nosuch", "snap-1");
    }

    [TestMethod]
    public void HelpListsEveryVerb()
    {
        string help = CliRun.Of("--help").Expect(0).Output;
        foreach (VerbCommand verb in CommandTree.Verbs())
            StringAssert.Contains(help, "\n  " + verb.Name + " ");
    }

    [TestMethod]
    [DataRow("lss", "did you mean 'ls'")]
    [DataRow("frobnicate", "there is no verb 'frobnicate'")]
    [DataRow("", "say what to do")]
    [DataRow("ls", "ls needs IMAGE[@LABEL]")]
    [DataRow("get x.img /a", "get needs DEST")]
    [DataRow("cat x.img", "cat needs PATH")]
    [DataRow("put x.img /a", "put needs SOURCE... PATH")]
    [DataRow("mv x.img /a", "mv needs SOURCE... TARGET")]
    [DataRow("rm x.img", "rm needs PATH")]
    [DataRow("truncate x.img /a", "--size")]
    [DataRow("chmod x.img rw /a", "MODE is octal")]
    [DataRow("chown x.img me /a", "in numbers")]
    [DataRow("ls a b c", "one argument too many: 'c'")]
    [DataRow("ls --foo x.img", "ls has no option '--foo'")]
    [DataRow("ls -j x.img", "ls has no option '-j'")]
    [DataRow("find x.img --nam y", "find has no option '--nam'")]
    [DataRow("find x.img -type q", "--type wants")]
    [DataRow("find x.img -size big", "--size wants")]
    [DataRow("tree x.img -L none", "--depth wants")]
    [DataRow("ls x.img --cache lots", "--cache wants")]
    [DataRow("ls x.img --cache 1K", "--cache wants")]
    [DataRow("ls x.img --partition one", "--partition wants")]
    [DataRow("fsck x.img --header 4", "--header wants")]
    [DataRow("completion tcsh", "completion knows bash")]
    [DataRow("hash a/b", "not a name")]
    [DataRow("ls x.img@", "ends with '@'")]
    [DataRow("ls @DATA", "names no volume")]
    public void MistakesAreOneLine(string line, string words) =>
        CliRun.Of(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Expect(2).ExpectOneLine(words);

    [TestMethod]
    public void ImageThatDoesNotExistIsOneLine() =>
        CliRun.Of("ls", "no-such.img").Expect(3).ExpectOneLine("no-such.img does not exist");

    [TestMethod]
    public void FileThatIsNoVolumeIsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.img"], new string('x', 100000));
        foreach (string verb in "ls info pfs-list show freemap verify fsck manifest volhdr volume-list".Split(' '))
            CliRun.Of(verb, folder["text.img"]).Expect(3).ExpectOneLine("text.img");
        File.WriteAllText(folder["empty.img"], "");
        CliRun.Of("ls", folder["empty.img"]).Expect(3).ExpectOneLine("empty.img");
        CliRun.Of("ls", folder.Path).Expect(3).ExpectOneLine("is a directory");
    }

    [TestMethod]
    public void WrongLabelListsTheLabels() =>
        CliRun.Of("ls", CliRun.Image("multi-pfs") + "@NOPE").Expect(3).ExpectOneLine("NOPE", "EXTRA", "MAIN", "snap-1a");

    [TestMethod]
    public void NoLabelWithSeveralListsTheLabels() =>
        CliRun.Of("ls", CliRun.Image("multi-pfs")).Expect(3).ExpectOneLine("@LABEL", "MAIN");

    [TestMethod]
    public void MissingVolumeOfASetIsSaid() =>
        CliRun.Of("info", CliRun.Image("multi-volume").Split(':')[1]).Expect(3).ExpectOneLine("3 volumes", "A:B:C");

    [TestMethod]
    public void WrongPartitionListsThePartitions() =>
        CliRun.Of("ls", CliRun.Image("part-gpt"), "--partition", "7").Expect(3).ExpectOneLine("no partition 7", "1 = gpt1");

    [TestMethod]
    [DataRow("ls")]
    [DataRow("stat")]
    [DataRow("cat")]
    [DataRow("tree")]
    [DataRow("find")]
    [DataRow("du")]
    public void PathThatDoesNotExistIsOneLine(string verb)
    {
        CliRun.Of(verb, CliRun.Image("small-mixed"), "/deep/none")
            .Expect(1).ExpectOneLine("/deep/none: no such file or directory");
        CliRun.Of(verb, CliRun.Image("small-mixed"), "/links/target.txt/x").Expect(1).ExpectOneLine("not a directory");
    }

    [TestMethod]
    public void VerboseShowsTheTrace() =>
        StringAssert.Contains(CliRun.Of("ls", "no-such.img", "--verbose").Expect(3).Error, "   at ");

    [TestMethod]
    public void AtSignIsNoResponseFile() => CliRun.Of("ls", "@no-such-file").Expect(2).ExpectOneLine("names no volume");

    [TestMethod]
    public void OptionsMayStandAnywhere()
    {
        string image = CliRun.Image("small-mixed");
        string[] expected = CliRun.Of("ls", "-l", "-a", image, "/deep").Expect(0).Lines;
        CollectionAssert.AreEqual(expected, CliRun.Of("ls", image, "/deep", "-la").Expect(0).Lines);
        CollectionAssert.AreEqual(expected, CliRun.Of("--cache=64M", "ls", image, "-al", "/deep").Expect(0).Lines);
    }

    [TestMethod]
    [DataRow("hammer2 vol", "volhdr", "volume-list")]
    [DataRow("hammer2 ls --rec", "--recursive", null)]
    [DataRow("hammer2 completion ", "bash", "pwsh")]
    public void SuggestsVerbsAndOptions(string line, string first, string? second)
    {
        string[] suggestions = CliRun.Of($"[suggest:{line.Length}]", line).Expect(0).Lines;
        CollectionAssert.Contains(suggestions, first);
        if (second is not null)
            CollectionAssert.Contains(suggestions, second);
    }

    [TestMethod]
    [DataRow("bash", "complete ")]
    [DataRow("zsh", "#compdef hammer2")]
    [DataRow("fish", "complete -c hammer2")]
    [DataRow("pwsh", "Register-ArgumentCompleter")]
    public void CompletionScriptsUseTheSuggestDirective(string shell, string words)
    {
        CliRun run = CliRun.Of("completion", shell).Expect(0);
        StringAssert.Contains(run.Output, words);
        StringAssert.Contains(run.Output, "[suggest:");
        Assert.AreEqual(shell, CliRun.Of("completion", shell, "--json").Expect(0).Json.GetProperty("shell").GetString());
    }

    [TestMethod]
    public void VersionIsPrinted()
    {
        StringAssert.StartsWith(CliRun.Of("version").Expect(0).Output, "hammer2 0.");
        Assert.AreEqual(2, CliRun.Of("version", "--json").Expect(0).Json.GetProperty("format_version_max").GetInt32());
    }
}
