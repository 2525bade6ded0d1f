// What this is: a tiny process that outlives us and detaches our mount if we die without doing so.
// Invariants: it blocks on a pipe that only we hold. Told "done" it goes away; at the end of the pipe without that word it
// lazily detaches the mounts of exactly our filesystem (its device number and type), and nothing else. It runs in its own
// session, so neither Ctrl-C nor the end of a terminal reaches it, and holds no descriptor of the connection.
// Layers: MountInfo.

using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Mounting;

/// <summary>Cleans up after a killed process.</summary>
internal sealed class MountWatcher : IDisposable
{
    // $1 is the device number, $2 the filesystem type. Mount points come with octal escapes, which printf %b undoes (as \0ooo).
    private const string Script =
        """
        trap '' HUP INT TERM QUIT PIPE
        exec >/dev/null 2>&1
        cd /
        read -r word
        [ "$word" = done ] && exit 0
        cat /proc/self/mountinfo | while read -r id parent device root target rest; do
          [ "$device" = "$1" ] || continue
          case " $rest " in *" - $2 "*) ;; *) continue ;; esac
          path=$(printf '%b.' "$(printf '%s' "$target" | sed 's/\\/\\0/g')")
          path=${path%.}
          if [ "$(id -u)" = 0 ]; then umount -l "$path"; else fusermount3 -u -z -- "$path"; fi
        done
        """;

    private Process? _process;

    private MountWatcher(Process process) => _process = process;

    /// <summary>The process id of the watcher.</summary>
    internal int? ProcessId => _process?.Id;

    /// <summary>Starts a watcher for a mount; null if this system has no shell to run it, which is logged.</summary>
    public static MountWatcher? TryStart(MountInfo mount, ILogger logger)
    {
        string[] shell = ["sh", "-c", Script, "hammer2-watch", mount.Device, mount.FsType];
        foreach (var command in (string[][])[["setsid", .. shell], shell])
        {
            var start = new ProcessStartInfo(command[0], command[1..])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
                WorkingDirectory = "/",
            };
            try
            {
                return new MountWatcher(Process.Start(start)!);
            }
            catch (Win32Exception exception)
            {
                logger.LogDebug("{Command} cannot be started: {Reason}", command[0], exception.Message);
            }
        }

        logger.LogWarning("Nothing watches the mount on {Target}: if this process is killed, run umount -l on it.", mount.Target);
        return null;
    }

    /// <summary>Sends the watcher away without detaching anything.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _process, null) is not { } process)
            return;
        try
        {
            process.StandardInput.WriteLine("done");
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The watcher was killed: then there is nobody to send away.
            _ = process.HasExited;
        }

        process.Dispose();
    }
}
