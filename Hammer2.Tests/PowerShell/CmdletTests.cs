// The commands on real volumes, with the real program: objects and their types, the pipeline by value and by name, -WhatIf and -Confirm, errors,
// views, completion. What a command says it changed is read back by another one.

using System.Management.Automation;
using Hammer2.Tests.Cli;

namespace Hammer2.Tests.PowerShell;

[TestClass]
public sealed class CmdletTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [TestMethod]
    public void VolumesComeFromThePipeline()
    {
        _session.Have("small-mixed");
        _session.Have("multi-pfs");
        ScriptRun run = _session.Run("[IO.DirectoryInfo]::new($PWD.ProviderPath).GetFiles('*.img') | Get-Hammer2Volume | ForEach-Object { $_ }").Clean();
        Assert.HasCount(2, run.Objects);
        Assert.AreEqual("2 2", run.All("Version"));
        Assert.AreEqual("Hammer2.PowerShell.Hammer2Volume", run.Objects[0].TypeNames[0]);
        Assert.IsTrue(Path.IsPathRooted($"{run.Objects[0].Properties["Image"].Value}"));
        Assert.AreEqual("7", _session.Run("'multi-pfs.img' | Get-Hammer2Volume | ForEach-Object { $_.Pfs.Count }").Clean().Single.ToString());
    }

    [TestMethod]
    public void PfsAreListedByPatternAndMissingOnesAreErrors()
    {
        _session.Have("multi-pfs");
        Assert.AreEqual("snap-1 snap-1a snap-2", _session.Run("Get-Hammer2Pfs multi-pfs.img snap-*").Clean().All("Label"));
        Assert.AreEqual("snap-1 snap-1a snap-2", _session.Run("Get-Hammer2Snapshot multi-pfs.img").Clean().All("Label"));
        ScriptRun run = _session.Run("Get-Hammer2Pfs multi-pfs.img NONE, MAIN");
        Assert.AreEqual("MAIN", run.All("Label"));
        Assert.AreEqual(ErrorCategory.ObjectNotFound, run.Error("Hammer2PfsNotFound").CategoryInfo.Category);
    }

    [TestMethod]
    public void WhatIfChangesNothing()
    {
        _session.Have("multi-pfs");
        byte[] before = Digest("multi-pfs.img");
        File.WriteAllText(_session["file.txt"], "text");
        foreach (string script in (string[])
        [
            "New-Hammer2Pfs multi-pfs.img HOME", "Remove-Hammer2Pfs multi-pfs.img EXTRA", "Rename-Hammer2Pfs multi-pfs.img EXTRA OTHER",
            "New-Hammer2Snapshot multi-pfs.img@MAIN", "Restore-Hammer2Snapshot multi-pfs.img@MAIN snap-1", "Remove-Hammer2Snapshot multi-pfs.img snap-1",
            "Resize-Hammer2Volume multi-pfs.img 20G", "Optimize-Hammer2Volume multi-pfs.img", "Repair-Hammer2Volume multi-pfs.img",
            "Format-Hammer2Volume multi-pfs.img -Force", "New-Hammer2Volume new.img -Size 64M", "Copy-Hammer2Item file.txt / -ToVolume multi-pfs.img@MAIN",
            "Copy-Hammer2Item / ./all -FromVolume multi-pfs.img@MAIN", "Mount-Hammer2Volume multi-pfs.img@MAIN mnt", "Dismount-Hammer2Volume mnt",
        ])
        {
            ScriptRun run = _session.Run(script + " -WhatIf").Clean();
            Assert.IsEmpty(run.Objects, script);
            StringAssert.StartsWith(run.Text, "What if: ", script);
        }

        CollectionAssert.AreEqual(before, Digest("multi-pfs.img"));
        Assert.IsFalse(File.Exists(_session["new.img"]) || Directory.Exists(_session["all"]));
    }

    [TestMethod]
    public void DeletingAPfsAsksFirst()
    {
        _session.Have("multi-pfs");
        _session.Run("Remove-Hammer2Pfs multi-pfs.img EXTRA").Clean();
        StringAssert.Contains(_session.TakeQuestions().Single(), "delete the PFS and everything in it");
        Assert.AreEqual("EXTRA", _session.Run("Get-Hammer2Pfs multi-pfs.img EXTRA").Clean().All("Label"), "the answer was no");
        _session.Run("Get-Hammer2Pfs multi-pfs.img EXTRA* | Remove-Hammer2Pfs -Confirm:$false").Clean();
        Assert.AreEqual("", _session.Run("Get-Hammer2Pfs multi-pfs.img EXTRA*").Clean().All("Label"));
    }

    [TestMethod]
    public void PfsAndSnapshotsAreMadeRenamedRestoredAndRemoved()
    {
        _session.Have("multi-pfs");
        Assert.AreEqual("HOME", _session.Run("New-Hammer2Pfs multi-pfs.img HOME").Clean()["Label"]);
        _session.Run("Rename-Hammer2Pfs multi-pfs.img HOME HOUSE").Clean();
        ScriptRun taken = _session.Run("Get-Hammer2Pfs multi-pfs.img HOUSE | New-Hammer2Snapshot -Name 'empty house'").Clean();
        Assert.AreEqual("empty house", taken["Label"]);
        Assert.AreEqual("HOUSE", taken["Source"]);
        File.WriteAllText(_session["file.txt"], "text");
        _session.Run("Copy-Hammer2Item file.txt / -ToVolume multi-pfs.img -Label HOUSE").Clean();
        ScriptRun restored = _session.Run("Restore-Hammer2Snapshot multi-pfs.img@HOUSE 'empty house'").Clean();
        Assert.IsEmpty(_session.Run("Get-Hammer2ChildItem multi-pfs.img@HOUSE").Clean().Objects);
        Assert.AreEqual("/file.txt", _session.Run($"Get-Hammer2ChildItem multi-pfs.img -Label '{restored["Previous"]}'").Clean()["Path"]);
        Assert.IsEmpty(_session.Run("New-Hammer2Snapshot multi-pfs.img@HOUSE second | Get-Hammer2ChildItem").Clean().Objects, "the object names volume and label");
        _session.Run("Remove-Hammer2Snapshot multi-pfs.img MAIN").Error("Hammer2SnapshotNotFound");
        _session.Run("Get-Hammer2Snapshot multi-pfs.img | Remove-Hammer2Snapshot").Clean();
        Assert.AreEqual("EXTRA EXTRA-empty HOUSE LOCAL MAIN", _session.Run("Get-Hammer2Pfs multi-pfs.img").Clean().All("Label"));
        ScriptRun freed = _session.Run("Optimize-Hammer2Volume multi-pfs.img -UntilStable").Clean();
        Assert.IsGreaterThan(0L, (long)freed["FreedBytes"]!);
        Assert.IsTrue((bool)_session.Run("Test-Hammer2Volume multi-pfs.img -Quiet").Clean().Single.BaseObject);
    }

    [TestMethod]
    public void VolumesAreMadeFormattedAndGrown()
    {
        ScriptRun made = _session.Run("New-Hammer2Volume 'new disk.img' -Size 96MB -Label A, B -Compression zlib:6 -Check sha192").Clean();
        Assert.AreEqual(_session["new disk.img"], made["Image"]);
        Assert.AreEqual(96L << 20, made["TotalSize"]);
        Assert.AreEqual("A B LOCAL", string.Join(' ', ((IEnumerable<string>)made["Labels"]!).Order(StringComparer.Ordinal)));
        Assert.AreEqual(1, _session.Run("New-Hammer2Volume old.img 64M -Version 1 -Label none -BootSize 8M -AuxSize 8M").Clean()["Version"]);
        Assert.AreEqual(_session["v0.img"] + ":" + _session["v1.img"], _session.Run("New-Hammer2Volume v0.img, v1.img 1G").Clean()["Image"]);
        Assert.AreEqual(2, _session.Run("(Get-Hammer2Volume v0.img:v1.img).Members.Count").Clean().Single.BaseObject);
        _session.Run("New-Hammer2Volume 'new disk.img' -Size 96MB").Error("Hammer2VolumeExists");
        _session.Run("Format-Hammer2Volume none.img -Confirm:$false").Error("Hammer2VolumeNotFound");
        Assert.AreEqual(ErrorCategory.InvalidArgument, _session.Run("Format-Hammer2Volume 'new disk.img' -Confirm:$false").Error("Hammer2Arguments").CategoryInfo.Category);
        _session.Run("Format-Hammer2Volume 'new disk.img' -Force").Clean();
        Assert.HasCount(1, _session.TakeQuestions(), "formatting asks, also with -Force");
        ScriptRun formatted = _session.Run("Format-Hammer2Volume 'new disk.img' -Force -Label C -Confirm:$false").Clean();
        Assert.AreNotEqual(made["Id"], formatted["Id"]);
        ScriptRun grown = _session.Run("Resize-Hammer2Volume 'new disk.img' 160M").Clean();
        Assert.AreEqual((96L << 20, 160L << 20), ((long)grown["OldSize"]!, (long)grown["NewSize"]!));
        Assert.AreEqual("C LOCAL", _session.Run("Get-Hammer2Pfs 'new disk.img'").Clean().All("Label"));
    }

    [TestMethod]
    public void ItemsAreListedAndTheirPathsGoBack()
    {
        _session.Have("names");
        ScriptRun all = _session.Run("Get-Hammer2ChildItem names.img -Recurse -Force").Clean();
        Assert.IsGreaterThan(200, all.Objects.Count);
        Assert.IsTrue(all.Objects.All(static item => item.Properties["Name"].Value is not ("." or "..")));
        // Each directory by the path that the listing gave, whatever bytes are in its name.
        ScriptRun again = _session.Run("Get-Hammer2ChildItem names.img -Directory | Get-Hammer2ChildItem -Force").Clean();
        int expected = _session.Run("Get-Hammer2ChildItem names.img -Recurse -Force | Where-Object { ($_.Path.ToCharArray() -eq '/').Count -eq 2 }").Clean().Objects.Count;
        Assert.HasCount(expected, again.Objects);
        Assert.IsTrue(all.Objects.Any(static item => $"{item.Properties["Path"].Value}".Contains("\\xf0", StringComparison.Ordinal)), "the image has names that are not UTF-8");
        Assert.IsTrue(all.Objects.Where(static item => item.Properties["Type"].Value is "symlink").All(static item => item.Properties["Target"].Value is string));
        Assert.AreEqual(DateTimeKind.Utc, ((DateTime)all.Objects[0].Properties["LastWriteTimeUtc"].Value).Kind);
    }

    [TestMethod]
    public void FilesAreCopiedBothWaysReadAndMeasured()
    {
        _session.Run("New-Hammer2Volume disk.img 128M").Clean();
        Directory.CreateDirectory(_session["in"]);
        File.WriteAllText(_session["in/one file.txt"], "line 1\nline 2\n");
        File.WriteAllText(_session["in/two.txt"], "end without newline: ä");
        ScriptRun copied = _session.Run("[IO.DirectoryInfo]::new(\"$PWD/in\").GetFiles() | Copy-Hammer2Item -Destination / -ToVolume disk.img").Clean();
        Assert.AreEqual("1 1", copied.All("Files"));
        Assert.AreEqual("/one file.txt /two.txt", _session.Run("Get-Hammer2ChildItem disk.img@DATA -File").Clean().All("Path"));
        Assert.AreEqual(
            "line 1|line 2|end without newline: ä",
            string.Join('|', _session.Run("Get-Hammer2ChildItem disk.img | Get-Hammer2Content").Clean().Objects));
        Assert.AreEqual("line 1\nline 2\n", _session.Run("Get-Hammer2Content disk.img '/one file.txt' -Raw").Clean().Single.BaseObject);
        Assert.HasCount(14, (byte[])_session.Run("Get-Hammer2Content disk.img '/one file.txt' -AsBytes").Clean().Single.BaseObject);
        Directory.CreateDirectory(_session["out"]);
        _session.Run("Get-Hammer2ChildItem disk.img | Copy-Hammer2Item -Destination out").Clean();
        Assert.AreEqual("line 1\nline 2\n", File.ReadAllText(_session["out/one file.txt"]));
        Assert.AreEqual(ErrorCategory.InvalidArgument, _session.Run("Copy-Hammer2Item /two.txt out -FromVolume disk.img").Error("Hammer2Arguments").CategoryInfo.Category);
        _session.Run("Copy-Hammer2Item /two.txt out -FromVolume disk.img -Force").Clean();
        Assert.AreEqual(37L, _session.Run("Measure-Hammer2Usage disk.img /").Clean()["Apparent"]);
        Assert.HasCount(3, _session.Run("Measure-Hammer2Usage disk.img / -File").Clean().Objects);
        ScriptRun usage = _session.Run("Measure-Hammer2Usage disk.img -Top 1").Clean();
        Assert.IsTrue((long)usage["UsableBytes"]! is > 64 << 20 and <= 128 << 20, $"{usage["UsableBytes"]} bytes of 128 MiB");
        Assert.HasCount(1, _session.Run("(Measure-Hammer2Usage disk.img -Top 1).Directories").Clean().Objects);
    }

    [TestMethod]
    public void DamageIsAVerdictOfChecksAndAnErrorOfReading()
    {
        _session.Have("dmg-data");
        foreach (string mode in (string[])["Structure", "Blocks"])
        {
            ScriptRun test = _session.Run($"Test-Hammer2Volume dmg-data.img -Mode {mode}").Clean();
            Assert.IsFalse((bool)test["Clean"]!);
            Assert.AreEqual(1L, test["Errors"]);
            ScriptRun findings = _session.Run($"(Test-Hammer2Volume dmg-data.img -Mode {mode}).Findings | Where-Object Severity -eq error").Clean();
            Assert.AreEqual("/large/stone.dat", findings["Path"]);
            Assert.IsFalse((bool)_session.Run($"Test-Hammer2Volume dmg-data.img -Mode {mode} -Quiet").Clean().Single.BaseObject);
        }

        ErrorRecord error = _session.Run("Copy-Hammer2Item /large/stone.dat stone.dat -FromVolume dmg-data.img").Error("Hammer2CheckFailed");
        Assert.AreEqual(ErrorCategory.InvalidData, error.CategoryInfo.Category);
        Assert.AreEqual("/large/stone.dat", error.TargetObject);
        ScriptRun dry = _session.Run("Repair-Hammer2Volume dmg-data.img -DryRun").Clean();
        Assert.IsTrue((bool)dry["DryRun"]!);
        ScriptRun repaired = _session.Run("Repair-Hammer2Volume dmg-data.img").Clean();
        Assert.IsFalse((bool)repaired["DryRun"]!);
    }

    [TestMethod]
    public void FailuresAreErrorsThatSayWhichAndThePipelineGoesOn()
    {
        _session.Have("small-mixed");
        File.WriteAllText(_session["text.img"], new string('x', 1 << 20));
        ScriptRun run = _session.Run("'text.img', 'small-mixed.img', 'none.img' | Get-Hammer2Volume");
        Assert.HasCount(1, run.Objects);
        Assert.HasCount(2, run.Errors);
        Assert.IsTrue(run.Errors.All(static error => error.CategoryInfo.Category == ErrorCategory.OpenError && error.FullyQualifiedErrorId.StartsWith("Hammer2CannotOpen,", StringComparison.Ordinal)));
        Assert.IsFalse(run.Errors[0].ToString().StartsWith("hammer2:", StringComparison.Ordinal));
        ErrorRecord missing = _session.Run("Get-Hammer2Content small-mixed.img /none").Errors.Single();
        Assert.AreEqual("/none", missing.TargetObject);
        Assert.AreEqual("stopped", _session.Run("try { Get-Hammer2Volume none.img -ErrorAction Stop } catch { 'stopped' }").Clean().Single.ToString());
    }

    [TestMethod]
    public void ViewsAreTables()
    {
        _session.Have("small-mixed");
        string volumes = _session.Show("Get-Hammer2Volume small-mixed.img");
        StringAssert.Matches(volumes, new System.Text.RegularExpressions.Regex(@"Image\s+Size\s+Free\s+Version\s+PFS\s+Warnings"));
        StringAssert.Contains(volumes, "DATA, LOCAL");
        StringAssert.Matches(_session.Show("Get-Hammer2Pfs small-mixed.img"), new System.Text.RegularExpressions.Regex(@"DATA\s+master\s+363\s+2\.1M\s+2024-01-01 00:00:00"));
        string items = _session.Show("Get-Hammer2ChildItem small-mixed.img");
        StringAssert.Matches(items, new System.Text.RegularExpressions.Regex(@"dir\s+0755\s+0\s+0\s+2017-07-14 02:40:00\s+/deep"));
        StringAssert.Contains(_session.Show("Test-Hammer2Volume small-mixed.img -Mode Blocks"), "Clean");
        StringAssert.Contains(_session.Show("Measure-Hammer2Usage small-mixed.img /"), "Allocated");
        StringAssert.Contains(_session.Show("Measure-Hammer2Usage small-mixed.img"), "Reclaimable");
    }

    [TestMethod]
    public void TabCompletesLabelsSnapshotsAndPaths()
    {
        _session.Have("multi-pfs");
        _session.Run("New-Hammer2Snapshot multi-pfs.img@MAIN 'a name'").Clean();
        Assert.AreEqual("EXTRA, EXTRA-empty", string.Join(", ", _session.Complete("Get-Hammer2Pfs multi-pfs.img -Label EX")));
        Assert.AreEqual("'a name', snap-1, snap-1a, snap-2", string.Join(", ", _session.Complete("Remove-Hammer2Snapshot multi-pfs.img -Label ")));
        Assert.AreEqual("snap-2", string.Join(", ", _session.Complete("Restore-Hammer2Snapshot -Image multi-pfs.img@MAIN -Snapshot snap-2")));
        string first = $"{_session.Run("Get-Hammer2ChildItem multi-pfs.img@MAIN -Directory").Clean().Objects[0].Properties["Path"].Value}";
        CollectionAssert.Contains(_session.Complete($"Get-Hammer2ChildItem multi-pfs.img@MAIN -Path {first[..2]}").ToArray(), first + "/");
        Assert.IsEmpty(_session.Complete("Get-Hammer2ChildItem none.img -Label X"));
    }

    [TestMethod]
    public void AVolumeIsMountedUsedAndUnmounted()
    {
        if (!(CliRun.Of("version", "--json").Json.GetProperty("can_mount").GetBoolean()))
            Assert.Inconclusive("mounting is not possible here");
        _session.Have("multi-pfs");
        string target = OperatingSystem.IsWindows() ? "*" : "mnt";
        if (target == "mnt")
            Directory.CreateDirectory(_session[target]);
        ScriptRun mounted = _session.Run($"Mount-Hammer2Volume multi-pfs.img {target} -Label MAIN").Clean();
        try
        {
            string place = $"{mounted["Target"]}";
            Assert.AreEqual(place, _session.Run($"Get-Hammer2Mount '{place}'").Clean()["Target"]);
            File.WriteAllText(Path.Combine(place, "seen.txt"), "through the mount");
            // By the image and by the place: both run in the process of the mount.
            Assert.AreEqual("through the mount", _session.Run("Get-Hammer2Content multi-pfs.img@MAIN /seen.txt").Clean().Single.ToString());
            Assert.AreEqual("while-mounted", _session.Run($"Get-Hammer2Mount '{place}' | New-Hammer2Snapshot -Name while-mounted").Clean()["Label"]);
            Assert.AreEqual("while-mounted", _session.Run($"Get-Hammer2Snapshot '{place}' while*").Clean()["Label"]);
            ScriptRun verified = _session.Run($"Test-Hammer2Volume '{place}' -Mode Blocks").Clean();
            Assert.IsTrue((bool)verified["Clean"]!);
            Assert.IsNotEmpty(verified.Progress, "progress comes through the mount");
            CollectionAssert.Contains(_session.Complete("Dismount-Hammer2Volume ").ToArray(), place);
            _session.Run("Test-Hammer2Volume multi-pfs.img").Error("Hammer2CannotOpen");
        }
        finally
        {
            _session.Run($"Dismount-Hammer2Volume '{mounted["Target"]}'").Clean();
        }

        Assert.IsTrue((bool)_session.Run("Test-Hammer2Volume multi-pfs.img -Quiet").Clean().Single.BaseObject);
    }

    private byte[] Digest(string name)
    {
        using FileStream file = File.OpenRead(_session[name]);
        return System.Security.Cryptography.SHA256.HashData(file);
    }
}
