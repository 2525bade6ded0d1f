// The folder on PATH: added once, removed wholly, everything else untouched letter by letter.
// Pure; no registry.

using Hammer2.Cli.Output;

namespace Hammer2.Tests.Packaging;

[TestClass]
public class PathListTests
{
    private const string Ours = @"C:\Program Files\Hammer2";

    [TestMethod]
    [DataRow("", Ours)]
    [DataRow(@"%SystemRoot%;C:\x", @"%SystemRoot%;C:\x;" + Ours)]
    [DataRow(@"C:\x;", @"C:\x;" + Ours)]
    [DataRow(@"C:\x;;C:\y", @"C:\x;;C:\y;" + Ours)]
    [DataRow(@"c:\PROGRAM files\hammer2\;C:\x", @"c:\PROGRAM files\hammer2\;C:\x")]
    [DataRow("C:\\x;\"C:\\Program Files\\Hammer2\"", "C:\\x;\"C:\\Program Files\\Hammer2\"")]
    [DataRow(@"C:\Program Files\Hammer2b", @"C:\Program Files\Hammer2b;" + Ours)]
    public void Adding_adds_once_at_the_end(string before, string after)
    {
        Assert.AreEqual(after, PathList.Add(before, Ours));
        Assert.AreEqual(after, PathList.Add(PathList.Add(before, Ours), Ours));
    }

    [TestMethod]
    [DataRow(@"C:\x;C:\Program Files\Hammer2", @"C:\x")]
    [DataRow(@"C:\Program Files\Hammer2\;C:\x;c:\program files\hammer2", @"C:\x")]
    [DataRow(@"C:\x;;%PATHX%", @"C:\x;;%PATHX%")]
    [DataRow(@"C:\Program Files\Hammer2b", @"C:\Program Files\Hammer2b")]
    public void Removing_removes_ours_only(string before, string after) => Assert.AreEqual(after, PathList.Remove(before, Ours));
}
