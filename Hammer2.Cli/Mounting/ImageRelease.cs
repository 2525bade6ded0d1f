// Waiting until an unmounted volume is let go of. The kernel ends a mount before the process that served it has written its
// last commit; whoever unmounts wants to unplug, copy or check the image next. Invariant: waits for a lock, and not longer
// than the limit. May call the engine's devices.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Mounting;

/// <summary>Waits for the last commit of another process.</summary>
internal static class ImageRelease
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Returns when no process has the volume open for writing; false when that takes too long.</summary>
    public static bool Wait(IEnumerable<string> paths, CancellationToken stop)
    {
        DateTime end = DateTime.UtcNow + s_limit;
        foreach (string path in paths)
        {
            while (IsWritten(path))
            {
                if (DateTime.UtcNow >= end || stop.WaitHandle.WaitOne(s_pause))
                    return false;
            }
        }

        return true;
    }

    private static bool IsWritten(string path)
    {
        try
        {
            using IBlockDevice device = FileBlockDevice.Open(path);
            return false;
        }
        catch (Hammer2Exception failure)
        {
            // Anything else than being in use will not change by waiting.
            return failure.Error == Hammer2Error.InUse;
        }
    }
}
