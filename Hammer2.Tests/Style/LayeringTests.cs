// The engine's rooms: a folder is a namespace is a layer, and a layer calls only layers above it in this list or in its
// own row. Found by reading the sources: using lines, full names, and names relative to Hammer2.Engine.

using System.Text.RegularExpressions;

namespace Hammer2.Tests.Style;

[TestClass]
public sealed partial class LayeringTests
{
    private static readonly string[][] s_rows =
    [
        ["Primitives"], ["Format"], ["Devices"], ["Buffers"], ["Blocks"], ["Topology"], ["Freemap"], ["Transactions"], ["Inodes"],
        ["Directories", "Files"], ["Pfs", "Volumes"], ["Checking", "Diagnostics"],
    ];

    [GeneratedRegex(@"\bHammer2\.Engine\.([A-Z]\w*)")]
    private static partial Regex FullName();

    [GeneratedRegex(@"(?<![\w.])([A-Z]\w*)\.([A-Z]\w*)")]
    private static partial Regex RelativeName();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record|record struct|record class)\s+([A-Z]\w*)")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^namespace\s+([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    private static int RowOf(string room) => Array.FindIndex(s_rows, r => r.Contains(room));

    private static List<SourceFile> Engine => [.. SourceTree.Files(".cs").Where(f => f.Path.StartsWith("Hammer2.Engine/", StringComparison.Ordinal))];

    /// <summary>What is wrong with these files, one sentence each.</summary>
    internal static List<string> Violations(IReadOnlyList<SourceFile> files)
    {
        var declared = new Dictionary<string, HashSet<string>>();
        foreach (SourceFile file in files)
        {
            HashSet<string> types = declared.TryGetValue(RoomOf(file), out HashSet<string>? known) ? known : declared[RoomOf(file)] = [];
            types.UnionWith(Declaration().Matches(file.Code).Select(m => m.Groups[1].Value));
        }

        var found = new List<string>();
        foreach (SourceFile file in files)
        {
            string room = RoomOf(file);
            string code = file.Code;
            if (RowOf(room) < 0)
                found.Add($"{file.Path}: '{room}' is no room of the engine");
            if (Namespace().Match(code) is { Success: true } name && name.Groups[1].Value != "Hammer2.Engine." + room)
                found.Add($"{file.Path}: namespace {name.Groups[1].Value} is not that of its folder");
            foreach (Match match in FullName().Matches(code))
                Check(file, room, match.Groups[1].Value, match.Index, found);
            foreach (Match match in RelativeName().Matches(code))
            {
                // "Pfs.Reader" may be a property called Pfs: only a type of that room makes it a name of the room.
                if (declared.TryGetValue(match.Groups[1].Value, out HashSet<string>? types) && types.Contains(match.Groups[2].Value))
                    Check(file, room, match.Groups[1].Value, match.Index, found);
            }
        }

        return found;
    }

    private static string RoomOf(SourceFile file) => file.Path.Split('/') is [_, string room, _, ..] ? room : "(none)";

    private static void Check(SourceFile file, string room, string target, int index, List<string> found)
    {
        if (RowOf(target) < 0)
            found.Add($"{file.Path}:{file.LineOf(index)}: Hammer2.Engine.{target} is no room");
        else if (RowOf(target) > RowOf(room))
            found.Add($"{file.Path}:{file.LineOf(index)}: {room} may not use {target}");
    }

    [TestMethod]
    public void EveryRoomUsesOnlyRoomsAboveIt()
    {
        List<SourceFile> files = Engine;
        Assert.IsGreaterThan(40, files.Count, "the engine's sources were not found");
        List<string> violations = Violations(files);
        Assert.IsEmpty(violations, string.Join('\n', violations));
    }

    [TestMethod]
    public void EngineKnowsNoFrontEnd()
    {
        foreach (SourceFile file in Engine)
        {
            foreach (string foreign in (string[])["Hammer2.Dokan", "Hammer2.Fuse", "Hammer2.Cli", "Hammer2.PowerShell", "Serilog", "Spectre", "DokanNet", "Console."])
                Assert.DoesNotContain(foreign, file.Code, $"{file.Path} uses {foreign}");
        }
    }

    [TestMethod]
    [DataRow("using Hammer2.Engine.Volumes;", true)]
    [DataRow("using V = Hammer2.Engine.Volumes.Hammer2Volume;", true)]
    [DataRow("using static Hammer2.Engine.Pfs.SuperRoot;", true)]
    [DataRow("class X { Hammer2.Engine.Inodes.Inode? i; }", true)]
    [DataRow("class X { global::Hammer2.Engine.Inodes.Inode? i; }", true)]
    [DataRow("class X { Volumes.Hammer2Volume? v; }", true)]
    [DataRow("using Hammer2.Engine.Nowhere;", true)]
    [DataRow("using Hammer2.Engine.Format;", false)]
    [DataRow("using Hammer2.Engine.Blocks;", false)]
    [DataRow("// Hammer2.Engine.Volumes is what calls this", false)]
    [DataRow("class X { string s = \"Hammer2.Engine.Volumes\"; }", false)]
    [DataRow("class X { object o = Volumes.Count; }", false)]
    public void NegativeControl(string line, bool wrong)
    {
        SourceFile[] files =
        [
            new("Hammer2.Engine/Blocks/Crafted.cs", $"namespace Hammer2.Engine.Blocks;\n{line}\n"),
            new("Hammer2.Engine/Volumes/Hammer2Volume.cs", "namespace Hammer2.Engine.Volumes;\npublic sealed class Hammer2Volume;\n"),
        ];
        Assert.HasCount(wrong ? 1 : 0, Violations(files));
    }

    [TestMethod]
    public void NegativeControlOfFolders()
    {
        Assert.HasCount(1, Violations([new("Hammer2.Engine/Blocks/X.cs", "namespace Hammer2.Engine.Format;\n")]).Where(v => v.Contains("folder", StringComparison.Ordinal)).ToList());
        Assert.IsNotEmpty(Violations([new("Hammer2.Engine/Odds/X.cs", "namespace Hammer2.Engine.Odds;\n")]));
        Assert.IsNotEmpty(Violations([new("Hammer2.Engine/X.cs", "namespace Hammer2.Engine;\n")]));
    }
}
