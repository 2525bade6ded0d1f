// State files of mounts: one JSON file per mount, named by the process that serves it and by the target. Invariants: a file is
// written whole under another name and then renamed, so that a reader never sees half of one; a file
// whose process is gone, or is another process by now, is removed.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Mounting;

/// <summary>The files in one folder.</summary>
internal sealed class MountStates(string folder)
{
    /// <summary>The folder of this user.</summary>
    public static MountStates InUserProfile() => new(Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "Hammer2", "mounts"));

    public void Add(MountedVolume mount)
    {
        Directory.CreateDirectory(folder);
        var state = new State(mount, StartOf(mount.ProcessId!.Value));
        string path = PathOf(mount);
        File.WriteAllBytes(path + ".new", JsonSerializer.SerializeToUtf8Bytes(state, ResultWriter.Shapes));
        File.Move(path + ".new", path, overwrite: true);
    }

    public void Remove(MountedVolume mount) => File.Delete(PathOf(mount));

    public IReadOnlyList<MountedVolume> List()
    {
        if (!Directory.Exists(folder))
            return [];
        var mounts = new List<MountedVolume>();
        foreach (string path in Directory.GetFiles(folder, "*.json"))
        {
            if (TryRead(path) is { } state && IsAlive(state))
                mounts.Add(state.Mount);
            else
                File.Delete(path);
        }

        return mounts;
    }

    private static State? TryRead(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<State>(File.ReadAllBytes(path), ResultWriter.Shapes);
        }
        catch (Exception failure) when (failure is JsonException or FileNotFoundException)
        {
            // Not ours any more: another process removed it, or it is no state file.
            return null;
        }
    }

    // Ids are used again: the start time tells whether it is still the process that wrote the file.
    private static bool IsAlive(State state) =>
        state.Mount.ProcessId is { } id && StartOf(id) is { } start && start == state.StartedUtc;

    private static DateTime? StartOf(int processId)
    {
        try
        {
            using Process process = Process.GetProcessById(processId);
            return process.StartTime.ToUniversalTime();
        }
        catch (Exception failure) when (
            failure is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // No such process, or none that this user may look at: none of this user's mounts.
            return null;
        }
    }

    private string PathOf(MountedVolume mount)
    {
        string target = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(mount.Target)))[..16];
        return Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{mount.ProcessId!.Value}-{target}.json"));
    }

    /// <summary>What a file holds.</summary>
    internal sealed record State(MountedVolume Mount, DateTime? StartedUtc);
}
