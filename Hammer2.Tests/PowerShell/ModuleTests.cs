// The module as a whole: what its manifest names is what its assembly has, its verbs are approved, its help comes from the sources and is
// shown by Get-Help, and nothing but what Windows PowerShell has is needed to load it.

using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;

namespace Hammer2.Tests.PowerShell;

[TestClass]
public sealed class ModuleTests
{
    private const string UpdateVariable = "HAMMER2_UPDATE_HELP";

    private static Assembly Module { get; } = Assembly.LoadFrom(Path.Combine(ModuleSession.ModuleFolder, "Hammer2.PowerShell.dll"));

    [TestMethod]
    public void ManifestExportsExactlyTheCommandsOfTheAssembly()
    {
        using var session = new ModuleSession();
        string[] exported = [.. session.Run("(Get-Module Hammer2).ExportedCmdlets.Keys").Clean().Objects.Select(static name => $"{name}").Order(StringComparer.Ordinal)];
        CollectionAssert.AreEqual(HelpFile.Commands(Module).Select(HelpFile.NameOf).ToArray(), exported);
        Assert.IsGreaterThan(20, exported.Length);
    }

    [TestMethod]
    public void ManifestHasTheVersionOfTheProgram()
    {
        using var session = new ModuleSession();
        var module = (PSModuleInfo)session.Run("Get-Module Hammer2").Clean().Single.BaseObject;
        Assert.AreEqual(typeof(Hammer2.Cli.ExitCode).Assembly.GetName().Version!.ToString(3), module.Version.ToString());
        Assert.AreEqual(new Version(5, 1), module.PowerShellVersion);
    }

    [TestMethod]
    public void VerbsAreApproved()
    {
        // What Get-Verb lists: the constants of these classes.
        HashSet<string> approved = [.. new[]
            {
                typeof(VerbsCommon), typeof(VerbsCommunications), typeof(VerbsData), typeof(VerbsDiagnostic), typeof(VerbsLifecycle),
                typeof(VerbsOther), typeof(VerbsSecurity),
            }.SelectMany(static group => group.GetFields()).Select(static verb => (string)verb.GetRawConstantValue()!)];
        string[] wrong = [.. HelpFile.Commands(Module).Select(static command => command.GetCustomAttribute<CmdletAttribute>()!.VerbName).Where(verb => !approved.Contains(verb))];
        Assert.IsEmpty(wrong, string.Join(' ', wrong));
        Assert.DoesNotContain("Bulkfree", approved);
    }

    [TestMethod]
    public void WhatChangesSomethingCanBeAskedWhatIf()
    {
        string[] reading = [VerbsCommon.Get, VerbsDiagnostic.Test, VerbsDiagnostic.Measure];
        foreach (Type command in HelpFile.Commands(Module))
        {
            CmdletAttribute cmdlet = command.GetCustomAttribute<CmdletAttribute>()!;
            Assert.AreEqual(!reading.Contains(cmdlet.VerbName), cmdlet.SupportsShouldProcess, HelpFile.NameOf(command));
        }
    }

    [TestMethod]
    public void NothingIsReferencedThatWindowsPowerShellLacks()
    {
        string[] references = [.. Module.GetReferencedAssemblies().Select(static name => $"{name.Name} {name.Version!.Major}.{name.Version.Minor}").Order(StringComparer.Ordinal)];
        Assert.AreEqual("System.Management.Automation 3.0, netstandard 2.0", string.Join(", ", references));
        string[] files = [.. Directory.GetFiles(ModuleSession.ModuleFolder, "*.dll", SearchOption.AllDirectories).Select(Path.GetFileName)!];
        Assert.AreEqual("Hammer2.PowerShell.dll", string.Join(", ", files));
    }

    [TestMethod]
    public void HelpFileIsThatOfTheSources()
    {
        string committed = Path.Combine(Repository.Root, "Hammer2.PowerShell", "en-US", "Hammer2.PowerShell.dll-Help.xml");
        string now = HelpFile.Of(Module, XDocument.Load(Path.ChangeExtension(Module.Location, ".xml")));
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            File.WriteAllText(committed, now);
            Assert.Inconclusive($"{UpdateVariable} is set: the help file was written, not compared");
        }

        Assert.AreEqual(now, File.ReadAllText(committed), $"run this test with {UpdateVariable}=1 and commit the help file");
    }

    [TestMethod]
    public void GetHelpShowsExamplesSyntaxAndParameters()
    {
        using var session = new ModuleSession();
        foreach (Type command in HelpFile.Commands(Module))
        {
            string name = HelpFile.NameOf(command);
            string examples = session.Show($"Get-Help {name} -Examples");
            StringAssert.Contains(examples, "Example 1", name);
            StringAssert.Contains(examples, name);
            string full = session.Show($"Get-Help {name} -Full");
            foreach (PropertyInfo parameter in HelpFile.Parameters(command))
                StringAssert.Contains(full, "-" + parameter.Name);
        }

        StringAssert.Contains(session.Show("Get-Help Copy-Hammer2Item"), "Copies files and trees off a volume, or onto it.");
        StringAssert.Contains(session.Show("Get-Help Copy-Hammer2Item -Examples"), "-FromVolume disk.img@DATA");
        StringAssert.Contains(session.Show("Get-Help Mount-Hammer2Volume -Parameter Target"), "drive letter");
    }

    [TestMethod]
    public void EveryExampleIsOneThatPowerShellUnderstands()
    {
        XDocument comments = XDocument.Load(Path.ChangeExtension(Module.Location, ".xml"));
        string[] examples = [.. comments.Descendants("code").Select(static code => code.Value)];
        Assert.IsGreaterThan(22, examples.Length);
        using var session = new ModuleSession();
        foreach (string example in examples)
        {
            System.Management.Automation.Language.Parser.ParseInput(example, out _, out System.Management.Automation.Language.ParseError[] errors);
            Assert.IsEmpty(errors, example);
            foreach (string parameter in UnknownParameters(session, example))
                Assert.Fail($"{example}: there is no parameter {parameter}");
        }
    }

    private static IEnumerable<string> UnknownParameters(ModuleSession session, string example)
    {
        var script = System.Management.Automation.Language.Parser.ParseInput(example, out _, out _);
        foreach (var call in script.FindAll(static node => node is System.Management.Automation.Language.CommandAst, true).Cast<System.Management.Automation.Language.CommandAst>())
        {
            string name = call.GetCommandName();
            if (!name.Contains("Hammer2", StringComparison.Ordinal))
                continue;
            string known = session.Run($"(Get-Command {name}).Parameters.Keys").Clean().Objects.Aggregate(" ", static (all, one) => all + one + " ");
            foreach (var parameter in call.CommandElements.OfType<System.Management.Automation.Language.CommandParameterAst>())
            {
                if (!known.Contains($" {parameter.ParameterName} ", StringComparison.Ordinal))
                    yield return parameter.ParameterName;
            }
        }
    }
}
