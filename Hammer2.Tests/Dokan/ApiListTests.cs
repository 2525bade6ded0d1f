// Our declarations of DokanNet against the published list of its public surface: nothing may be there that the list does
// not have, letter for letter. On Windows the adapter is built against the package itself; then the list is checked
// against the package instead, for the types that the list names.

using System.Reflection;
using DokanNet;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ApiListTests
{
    private static readonly Lazy<HashSet<string>> s_list = new(() =>
        [.. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Dokan", "dokannet-api.txt")).Where(line => !line.StartsWith('#'))]);

    private static bool IsContracts => typeof(IDokanOperations2).Assembly.GetName().Name == "Hammer2.Dokan.Contracts";

    [TestMethod]
    public void EveryDeclaredTypeAndMemberIsInTheList()
    {
        if (!IsContracts)
            Assert.Inconclusive("this build uses the package DokanNet; there are no declarations to compare");
        List<string> lines = ApiDescription.Of(typeof(IDokanOperations2).Assembly);
        string[] unknown = [.. lines.Where(line => !s_list.Value.Contains(line))];
        Assert.IsEmpty(unknown, string.Join('\n', unknown));
        Assert.IsGreaterThan(150, lines.Count, "the comparison must not be of nothing");
    }

    [TestMethod]
    public void TheInterfaceAndTheDataCarriersAreComplete()
    {
        HashSet<string> lines = [.. ApiDescription.Of(typeof(IDokanOperations2)), .. ApiDescription.Of(typeof(ByHandleFileInformation)),
            .. ApiDescription.Of(typeof(FindFileInformation)), .. ApiDescription.Of(typeof(DokanFileInfo)), .. ApiDescription.Of(typeof(DokanNet.FileAccess)),
            .. ApiDescription.Of(typeof(DokanOptions)), .. ApiDescription.Of(typeof(FileSystemFeatures))];
        string[] types = ["IDokanOperations2", "ByHandleFileInformation", "FindFileInformation", "DokanFileInfo", "FileAccess", "DokanOptions", "FileSystemFeatures"];
        string[] missing = [.. s_list.Value
            .Where(line => types.Any(type => line[2..].StartsWith($"DokanNet.{type}.", StringComparison.Ordinal)))
            .Where(line => !lines.Contains(line))];
        Assert.IsEmpty(missing, string.Join('\n', missing));
    }

    [TestMethod]
    public void TheStatusValuesThatWeCastAreNotInTheList()
    {
        foreach (long value in new[] { 0xC00000BA, 0xC00000A2, 0xC00000BB, 0xC0000185, 0xC0000102, 0xC000009A })
            Assert.IsFalse(s_list.Value.Any(line => line.Contains($"NtStatus.", StringComparison.Ordinal) && line.Contains($" = {value} ", StringComparison.Ordinal)), $"{value:X} has a name now");
    }

    /// <summary>Negative control: types that differ from the list in one respect each must be told apart.</summary>
    [TestMethod]
    [DataRow(typeof(Deviant.MoreMembers))]
    [DataRow(typeof(Deviant.WrongValue))]
    [DataRow(typeof(Deviant.WrongSignature))]
    [DataRow(typeof(Deviant.WrongNullability))]
    public void ADeviationIsNoticed(Type deviant)
    {
        string stated = deviant.GetField("StandsFor", BindingFlags.Static | BindingFlags.Public)?.GetValue(null) as string
            ?? "DokanNet.DokanStatus";
        string own = deviant.FullName!.Replace('+', '.');
        string[] lines = [.. ApiDescription.Of(deviant).Where(line => line[0] != 'T' && !line.Contains(".ctor(", StringComparison.Ordinal))
            .Select(line => line.Replace(own, stated, StringComparison.Ordinal))];
        Assert.IsTrue(lines.Any(line => !s_list.Value.Contains(line)), "a deviation went unnoticed");
        Assert.HasCount(1, lines, "the control must deviate in one line");
    }

    [TestMethod]
    public void DeclarationsRefuseWithTheNameOfThePackage()
    {
        if (!IsContracts)
            Assert.Inconclusive("this build uses the package DokanNet");
        PlatformNotSupportedException refusal =
            Assert.ThrowsExactly<PlatformNotSupportedException>(() => new DokanNet.Dokan(new Hammer2.Dokan.Mounting.DokanLog(
                Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)));
        Assert.Contains("DokanNet 2.3.0.3", refusal.Message);
    }

    /// <summary>Types that are almost those of the list.</summary>
    internal static class Deviant
    {
        public static class MoreMembers
        {
            public static readonly string StandsFor = "DokanNet.DokanResult";

            public static void Extra() => GC.KeepAlive(StandsFor);
        }

        public enum WrongValue
        {
            Success = 1,
        }

        public sealed class WrongSignature
        {
            public static readonly string StandsFor = "DokanNet.Logging.ILogger";

            public void Debug(string message, object[] args) => GC.KeepAlive((this, message, args));
        }

        public sealed class WrongNullability
        {
            public static readonly string StandsFor = "DokanNet.Native.DOKAN_OPTIONS";

            public string MountPoint { get; set; } = "";
        }
    }
}
