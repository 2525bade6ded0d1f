// `hammer2 demo`: unpacks the embedded sample volume, mounts it, shows it. Invariant: leaves nothing behind, however it
// ends. Where mounting is not possible it says so in one line and shows the same through the engine.
// May call Listing, Mounting, Output and Sample.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Cli.Sample;

namespace Hammer2.Cli.Verbs;

/// <summary>Demonstrates.</summary>
internal static class DemoVerb
{
    private const string Resource = "sample.h2s.gz";
    private const string StatPath = "/sizes";

    public static VerbCommand Create()
    {
        var stay = new Option<bool>("--stay") { Description = "Stay mounted until Ctrl+C." };
        return new VerbCommand(
            "demo",
            "Mount a small sample volume that comes with this program and show it.",
            "hammer2 demo",
            "hammer2 demo --stay")
        {
            stay,
        }.Runs((context, parsed) => Show(context, parsed.GetValue(stay)));
    }

    private static VerbResult Show(VerbContext context, bool stay)
    {
        var failures = new FailureList();
        var sums = new TreeSums();
        var head = new DemoHead();
        return new VerbResult(head) { ItemsName = "entries", Items = Steps(), Failures = failures, Tail = () => sums };

        IEnumerable<ITextShape> Steps()
        {
            string folder = Directory.CreateTempSubdirectory("hammer2-sample-").FullName;
            try
            {
                string path = Unpack(folder);
                using OpenedImage image = OpenedImage.OpenPfs(context, path);
                using DemoMount mount = DemoMount.TryMount(context, image, path);
                head.Fill(path, image.Pfs.Label, mount);
                yield return new TextLine("");
                using (ResolvedPath root = new PathResolver(image.Pfs).Resolve("/", followLast: true))
                {
                    var request = new TreeRequest(image, root.ToEntry(), DepthMax: 1, DirectoriesOnly: false);
                    foreach (TreeLine line in TreeVerb.Lines(context, request, failures, sums))
                        yield return line;
                }

                yield return new TextLine("");
                using (ResolvedPath one = new PathResolver(image.Pfs).Resolve(StatPath, followLast: true))
                    yield return StatSheet.Of(one.ToEntry(), image.Pfs, failures);
                foreach (string line in mount.ListThroughSystem())
                    yield return new TextLine(line);
                if (stay)
                    yield return new Pause(() => mount.Stay(context));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static string Unpack(string folder)
    {
        string path = Path.Combine(folder, "sample.img");
        using Stream packed = typeof(DemoVerb).Assembly.GetManifestResourceStream(Resource)
            ?? throw new CliException(ExitCode.CannotOpen, "this build carries no sample volume");
        using var image = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        SparseContainer.Unpack(packed, image);
        return path;
    }

    /// <summary>The mount of the demonstration, or why there is none.</summary>
    internal sealed class DemoMount : IDisposable
    {
        private readonly IMountHost _host;
        private readonly string? _picked;
        private readonly IMountSession? _session;

        private DemoMount(IMountHost host, string? picked, IMountSession? session, string? problem)
        {
            (_host, _picked, _session, Problem) = (host, picked, session, problem);
        }

        public string? Target => _session?.Target;

        public string? Problem { get; }

        public static DemoMount TryMount(VerbContext context, OpenedImage image, string path)
        {
            IMountHost host = context.MountHost;
            if (host.WhyUnavailable() is { } problem)
                return new DemoMount(host, null, null, problem);
            string picked = host.PickTarget();
            try
            {
                IMountSession session = MountVerb.Mount(context, new MountRequest(path, image.Pfs, picked, context.Logger));
                return new DemoMount(host, picked, session, null);
            }
            catch (CliException failure)
            {
                return new DemoMount(host, picked, null, failure.Message);
            }
        }

        /// <summary>The proof that it is really mounted: the operating system lists it.</summary>
        public IEnumerable<string> ListThroughSystem()
        {
            if (_session is null)
                yield break;
            yield return "";
            yield return $"the operating system sees at {_session.Target}:";
            var entries = new DirectoryInfo(_session.Target).EnumerateFileSystemInfos();
            foreach (FileSystemInfo entry in entries.OrderBy(entry => entry.Name, StringComparer.Ordinal))
            {
                string kind = entry is DirectoryInfo ? "dir " : "file";
                yield return $"  {kind}  {entry.LastWriteTimeUtc:yyyy-MM-dd HH:mm}  {entry.Name}";
            }
        }

        public void Stay(VerbContext context)
        {
            if (_session is null)
                return;
            context.Say($"mounted at {_session.Target}; Ctrl+C ends it");
            _session.WaitForUnmount(context.Stop);
        }

        public void Dispose()
        {
            _session?.Unmount();
            _session?.Dispose();
            if (_picked is not null)
                _host.ReleaseTarget(_picked);
        }
    }

    /// <summary>Filled when the first line is made, which is before the head is printed.</summary>
    private sealed class DemoHead : ITextShape
    {
        public string Image { get; private set; } = "";

        public string Label { get; private set; } = "";

        public bool Mounted { get; private set; }

        public string? Target { get; private set; }

        public string? Problem { get; private set; }

        public void Fill(string image, string label, DemoMount mount) =>
            (Image, Label, Mounted, Target, Problem) = (image, label, mount.Target is not null, mount.Target, mount.Problem);

        public void WriteText(TextOutput output) => output.Line(Mounted
            ? $"sample volume {Image}@{Label} is mounted at {Target}"
            : $"mounting is not possible here ({Problem}); showing the sample volume through the engine");
    }
}
