// What this is: a channel over an open /dev/fuse descriptor.
// Invariants: owns its descriptor and closes it once; the device takes and gives whole messages, so one read is one request
// and one write is one reply.
// Layers: Native.

using System.Runtime.InteropServices;
using Hammer2.Fuse.Native;

namespace Hammer2.Fuse.Sessions;

/// <summary>The real kernel behind <see cref="IFuseChannel"/>.</summary>
internal sealed unsafe class DeviceChannel(int descriptor) : IFuseChannel
{
    /// <summary>Where the kernel's FUSE device is.</summary>
    public const string DevicePath = "/dev/fuse";

    private int _descriptor = descriptor;

    /// <inheritdoc/>
    public int Receive(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            var count = Libc.Read(_descriptor, start, buffer.Length);
            return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
        }
    }

    /// <inheritdoc/>
    public int Send(ReadOnlySpan<byte> reply)
    {
        fixed (byte* start = reply)
        {
            var count = Libc.Write(_descriptor, start, reply.Length);
            return count >= 0 ? 0 : -Marshal.GetLastPInvokeError();
        }
    }

    /// <inheritdoc/>
    public IFuseChannel? TryClone()
    {
        // A user who was handed the descriptor by fusermount3 may not be allowed to open the device: sharing works too.
        var copy = Libc.Open(DevicePath, Libc.OpenReadWrite);
        if (copy < 0)
            return null;
        var original = (uint)_descriptor;
        if (Libc.IoControl(copy, Libc.FuseDeviceClone, &original) == 0)
            return new DeviceChannel(copy);
        _ = Libc.Close(copy);
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var open = Interlocked.Exchange(ref _descriptor, -1);
        if (open >= 0)
            _ = Libc.Close(open);
    }
}
