// Says whether the devices after a power cut are as promised: the volume opens for reading and shows exactly what could be
// seen at some moment between the last promise and the cut; the strict check finds no error; and it opens for writing,
// takes changes, and is as good as before afterwards with them.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Crash;

/// <summary>Judges crash states of one workload.</summary>
internal sealed class CrashJudge(CrashSetup setup, IReadOnlyList<TreeSnapshot> history, bool withTimes = true)
{
    private const string NewName = "after the crash";
    private static readonly CheckOptions s_check = new() { Workers = 1 };
    private readonly ILookup<UInt128, int> _moments = history.Select((snapshot, i) => (snapshot.Digest, i)).ToLookup(x => x.Digest, x => x.i);

    /// <summary>Between the engine and the devices of a state.</summary>
    internal Func<IBlockDevice, IBlockDevice> Lens { get; init; } = static device => device;

    /// <summary>What is wrong; null when nothing is.</summary>
    internal string? Judge(CrashState state, bool withWriting)
    {
        int promised = LastOf(state.Markers, CrashRun.PromiseMark), begun = LastOf(state.Markers, CrashRun.BeginMark);
        string where = $"{state.Description}, promised step {promised}, begun step {begun}: ";
        try
        {
            string? problem = Check(Open(state));
            if (problem is not null)
                return where + problem;
            TreeSnapshot seen;
            using (Hammer2Volume volume = Hammer2Volume.Open(Open(state), setup.Options(writable: false)))
                seen = TreeSnapshot.Of(volume, withTimes);
            if (!_moments[seen.Digest].Any(moment => moment >= promised && moment <= begun))
                return where + Compare(seen, promised);
            if (withWriting)
                problem = WriteOn(Open(state), seen);
            return problem is null ? null : where + "after writing: " + problem;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return where + e;
        }
    }

    private IBlockDevice[] Open(CrashState state) => [.. state.Open().Select(Lens)];

    private static string? Check(IReadOnlyList<IBlockDevice> devices)
    {
        CheckReport report = VolumeChecker.Check(devices, s_check);
        return report.IsClean ? null : report.ToString();
    }

    private string Compare(TreeSnapshot seen, int promised)
    {
        IEnumerable<int> other = _moments[seen.Digest];
        string moments = other.Any() ? $"; it is how it was after step {string.Join(',', other)}" : "";
        return $"not what was promised, nor anything later{moments}; difference (seen, promised):\n{seen.DifferenceTo(history[Math.Max(0, promised)])}";
    }

    private string? WriteOn(IBlockDevice[] devices, TreeSnapshot before)
    {
        TreeSnapshot made;
        string own = setup.Labels[0] + ":/";
        using (Hammer2Volume volume = Hammer2Volume.Open(devices, setup.Options(writable: true)))
        {
            PfsMount pfs = volume.OpenPfs(setup.Labels[0]);
            using (Vnode root = pfs.OpenRoot())
            {
                Hammer2Error error = pfs.TryCreate(root, Encoding.Latin1.GetBytes(NewName), new NewInode { Type = ObjectType.File, Mode = 0x180 }, out Vnode? file);
                if (error == Hammer2Error.None)
                {
                    using Vnode open = file!;
                    error = open.TryWrite(0, CrashRun.Noise(150_000, 77));
                }

                if (error is not (Hammer2Error.None or Hammer2Error.NoSpace))
                    return $"a new file was answered with {error}";
            }

            made = TreeSnapshot.Of(volume, withTimes);
            volume.Sync();
        }

        string difference = before.DifferenceTo(made, path => path == own || path == own + NewName);
        if (difference.Length > 0)
            return "other things changed:\n" + difference;
        string? problem = Check(devices);
        if (problem is not null)
            return problem;
        using Hammer2Volume again = Hammer2Volume.Open(devices, setup.Options(writable: false));
        difference = made.DifferenceTo(TreeSnapshot.Of(again, withTimes));
        return difference.Length > 0 ? "not what was synced:\n" + difference : null;
    }

    private static int LastOf(IReadOnlyList<string> markers, string kind)
    {
        for (int i = markers.Count - 1; i >= 0; i--)
        {
            if (markers[i].StartsWith(kind, StringComparison.Ordinal))
                return int.Parse(markers[i].AsSpan(kind.Length), CultureInfo.InvariantCulture);
        }

        return 0;
    }
}
