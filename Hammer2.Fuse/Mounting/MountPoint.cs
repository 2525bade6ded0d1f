// What this is: attaches a FUSE connection to a directory and detaches it again: as root by system calls, else through the
// setuid program fusermount3.
// Invariants: a failure is a FuseMountException of one line that says what to do; a failed Attach leaves nothing mounted and
// no descriptor open.
// Layers: Native, MountInfo, Sessions.DeviceChannel.

using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Native;
using Hammer2.Fuse.Sessions;

namespace Hammer2.Fuse.Mounting;

/// <summary>Where and how a filesystem is attached.</summary>
internal static class MountPoint
{
    /// <summary>The type in the mount table.</summary>
    public const string FsType = "fuse.hammer2";

    private const string Fusermount = "fusermount3";
    private static readonly TimeSpan s_programDeadline = TimeSpan.FromSeconds(20);

    /// <summary>True if this process can mount by itself.</summary>
    public static bool IsPrivileged => Libc.EffectiveUserId() == 0;

    /// <summary>Checks that a directory can be mounted on and returns its real path.</summary>
    public static string Prepare(string target)
    {
        if (!File.Exists(DeviceChannel.DevicePath))
            throw new FuseMountException("There is no /dev/fuse. Load the kernel's FUSE module: modprobe fuse.");
        if (Libc.RealPath(target) is not { } real)
        {
            throw new FuseMountException(Marshal.GetLastPInvokeError() switch
            {
                Errno.ENOENT => $"The mount point {target} does not exist. Create the directory first.",
                Errno.ENOTCONN => $"{target} is a mount whose program died. Detach it first: umount -l {target}",
                _ => $"The mount point {target} cannot be used: {Libc.LastErrorText()}.",
            });
        }

        if (MountInfo.Find(real) is { FsType: FsType } mounted)
        {
            throw new FuseMountException(
                $"{real} is already mounted ({mounted.Source}). Unmount it first; if its program died: umount -l {real}");
        }

        if (!Directory.Exists(real))
            throw new FuseMountException($"The mount point {target} is not a directory. Choose or create one.");
        return real;
    }

    /// <summary>Mounts and returns the connection.</summary>
    public static DeviceChannel Attach(string source, string target, bool allowOther, bool readOnly) => IsPrivileged
        ? AttachBySystemCall(source, target, allowOther, readOnly)
        : AttachByFusermount(source, target, allowOther, readOnly);

    /// <summary>
    /// Detaches the topmost mount of a path. A lazy detach succeeds while files are open; with <paramref name="abort"/> it also
    /// ends the connection, so that those who use the files get errors and nobody waits. Returns null or the reason of failure.
    /// </summary>
    public static string? Detach(string target, bool lazy, bool abort)
    {
        if (!IsPrivileged)
            return RunFusermount(lazy ? ["-u", "-z", "-q", "--", target] : ["-u", "-q", "--", target], null);
        var flags = Libc.UnmountNoFollow | (lazy ? Libc.UnmountDetach : 0) | (abort ? Libc.UnmountForce : 0);
        return Libc.Unmount(target, flags) == 0 ? null : Libc.LastErrorText();
    }

    /// <summary>
    /// Ends a connection by its device number, if this system lets us: open files of the mount fail from then on.
    /// </summary>
    public static bool TryAbort(MountInfo mount)
    {
        if (mount.DeviceMinor is not { } minor)
            return false;
        return TryWrite(string.Create(CultureInfo.InvariantCulture, $"/sys/fs/fuse/connections/{minor}/abort"), "1");
    }

    /// <summary>
    /// Widens the kernel's readahead window of the mount, which is 128 KiB whatever INIT says. Only root may, and not in every
    /// container; without it reading works with smaller requests.
    /// </summary>
    public static bool TryWidenReadAhead(MountInfo mount, int bytes) =>
        TryWrite($"/sys/class/bdi/{mount.Device}/read_ahead_kb", (bytes / 1024).ToString(CultureInfo.InvariantCulture));

    /// <summary>
    /// Lets the mount have as much written data in the page cache as any other filesystem, instead of a hundredth. Only root may.
    /// </summary>
    public static bool TryWidenWriteback(MountInfo mount) => TryWrite($"/sys/class/bdi/{mount.Device}/strict_limit", "0")
        && TryWrite($"/sys/class/bdi/{mount.Device}/max_ratio", "100");

    /// <summary>
    /// Has the kernel send what the page cache holds for a mount, and the mount make it durable: syncfs(2) alone does not ask a
    /// FUSE filesystem. Returns false if that failed or takes longer than the deadline.
    /// </summary>
    public static bool TryFlush(string target, TimeSpan deadline)
    {
        var flushed = Task.Factory.StartNew(
            () =>
            {
                var descriptor = Libc.Open(target, Libc.OpenReadOnly);
                if (descriptor < 0)
                    return false;
                var done = Libc.SyncFileSystem(descriptor) == 0 && Libc.Sync(descriptor) == 0;
                _ = Libc.Close(descriptor);
                return done;
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        return flushed.Wait(deadline) && flushed.Result;
    }

    private static bool TryWrite(string path, string text)
    {
        try
        {
            if (!File.Exists(path))
                return false;
            File.WriteAllText(path, text);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static DeviceChannel AttachBySystemCall(string source, string target, bool allowOther, bool readOnly)
    {
        var descriptor = Libc.Open(DeviceChannel.DevicePath, Libc.OpenReadWrite);
        if (descriptor < 0)
            throw new FuseMountException($"/dev/fuse cannot be opened: {Libc.LastErrorText()}. Is the FUSE module loaded?");
        var options = string.Create(CultureInfo.InvariantCulture,
            $"fd={descriptor},rootmode=40000,user_id={Libc.EffectiveUserId()},group_id={Libc.EffectiveGroupId()}");
        options += ",default_permissions" + (allowOther ? ",allow_other" : "");
        var flags = Libc.MountNoSuid | Libc.MountNoDev | (readOnly ? Libc.MountReadOnly : 0);
        if (Libc.Mount(source, target, FsType, flags, options) == 0)
            return new DeviceChannel(descriptor);

        var error = Marshal.GetLastPInvokeError();
        var text = Libc.LastErrorText();
        _ = Libc.Close(descriptor);
        throw new FuseMountException(error switch
        {
            Errno.EPERM or Errno.EACCES => $"Mounting on {target} is not permitted here. In a container, give it CAP_SYS_ADMIN.",
            Errno.ENODEV => "The kernel does not know FUSE. Load its module: modprobe fuse.",
            _ => $"Mounting on {target} failed: {text}.",
        });
    }

    private static DeviceChannel AttachByFusermount(string source, string target, bool allowOther, bool readOnly)
    {
        // fusermount3 opens the device with the rights of its caller, and would only say "Permission denied".
        var probe = Libc.Open(DeviceChannel.DevicePath, Libc.OpenReadWrite);
        if (probe < 0)
        {
            throw new FuseMountException(
                $"/dev/fuse cannot be opened: {Libc.LastErrorText()}. Run as root, or let users use it: chmod 666 /dev/fuse.");
        }

        _ = Libc.Close(probe);
        if (!Libc.TrySocketPair(out var ours, out var theirs))
            throw new FuseMountException($"No socket for {Fusermount}: {Libc.LastErrorText()}.");
        try
        {
            // A comma would end the option; fusermount3 undoes the backslash.
            var name = source.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);
            var access = allowOther ? "default_permissions,allow_other" : "default_permissions";
            var options = $"{(readOnly ? "ro" : "rw")},nosuid,nodev,{access},subtype=hammer2,fsname={name}";
            if (!Libc.TryMakeInheritable(theirs))
                throw new FuseMountException($"No socket for {Fusermount}: {Libc.LastErrorText()}.");
            if (RunFusermount(["-o", options, "--", target], theirs) is { } reason)
                throw new FuseMountException($"Mounting on {target} failed: {reason}");
            _ = Libc.Close(theirs);
            theirs = -1;
            var descriptor = Libc.ReceiveDescriptor(ours);
            return descriptor >= 0
                ? new DeviceChannel(descriptor)
                : throw new FuseMountException($"{Fusermount} did not hand over the mount on {target}.");
        }
        finally
        {
            _ = Libc.Close(ours);
            if (theirs >= 0)
                _ = Libc.Close(theirs);
        }
    }

    private static string? RunFusermount(string[] arguments, int? socket)
    {
        var start = new ProcessStartInfo(Fusermount, arguments) { RedirectStandardError = true, UseShellExecute = false };
        if (socket is { } number)
            start.Environment["_FUSE_COMMFD"] = number.ToString(CultureInfo.InvariantCulture);
        try
        {
            using var program = Process.Start(start)!;
            var complaint = program.StandardError.ReadToEndAsync();
            if (!program.WaitForExit(s_programDeadline))
            {
                program.Kill();
                return $"{Fusermount} did not answer within {s_programDeadline.TotalSeconds} seconds.";
            }

            if (program.ExitCode == 0)
                return null;
            var text = complaint.GetAwaiter().GetResult().Trim().Replace('\n', ' ');
            return text.Length > 0 ? text : $"{Fusermount} ended with status {program.ExitCode}.";
        }
        catch (Win32Exception)
        {
            return $"{Fusermount} was not found. Install the package fuse3, or run as root.";
        }
    }
}
