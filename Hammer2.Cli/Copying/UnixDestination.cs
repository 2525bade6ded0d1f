// Copies onto Linux with its own calls, because names are bytes there and .NET's paths are text: a name that
// is not valid UTF-8 could not even be created. Invariants: every call names the entry itself, never what a
// symbolic link at its end points to. Calls libc.

using System.ComponentModel;
using System.Runtime.InteropServices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>A folder on Linux.</summary>
internal sealed partial class UnixDestination : ICopyDestination
{
    private const int WriteNewFile = 0x1 | 0x40 | 0x80 | 0x80000; // O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
    private const int AtCurrentDirectory = -100, NoFollow = 0x100, StatxBasic = 0x7FF;
    private const int NoSuchEntry = 2, NotPermitted = 1, IsDirectory = 21;
    private const uint TypeMask = 0xF000, TypeDirectory = 0x4000, TypeFile = 0x8000, TypeLink = 0xA000;
    private const uint TypeFifo = 0x1000, TypeChar = 0x2000, TypeBlock = 0x6000, TypeSocket = 0xC000;
    private const uint PrivateFile = 0x180, PrivateDirectory = 0x1C0, SetIdBits = 0xC00;

    private readonly byte[] _root;
    private readonly bool _keepsOwners = Environment.IsPrivilegedProcess;

    /// <param name="root">Absolute path that exists, or whose parent does.</param>
    public UnixDestination(string root)
    {
        _root = System.Text.Encoding.UTF8.GetBytes(root.TrimEnd('/'));
    }

    public HostNames NewNames() => new UnixNames();

    public string Show(byte[] path) => Output.MediaText.Show(Absolute(path).AsSpan(..^1));

    public ExistingEntry Look(byte[] path)
    {
        if (Statx(AtCurrentDirectory, Absolute(path), NoFollow, StatxBasic, out StatxBuffer stat) != 0)
        {
            return Marshal.GetLastPInvokeError() == NoSuchEntry
                ? new ExistingEntry(ExistingKind.None, 0, 0)
                : throw Failed(path);
        }

        ExistingKind kind = (stat.Mode & TypeMask) switch
        {
            TypeDirectory => ExistingKind.Directory,
            TypeFile => ExistingKind.File,
            TypeLink => ExistingKind.Symlink,
            _ => ExistingKind.Other,
        };
        return new ExistingEntry(kind, (long)stat.Size, stat.MtimeSeconds * 1_000_000 + stat.MtimeNanoseconds / 1000);
    }

    public void MakeDirectory(byte[] path) => Check(path, MakeDirectory(Absolute(path), PrivateDirectory));

    public SafeFileHandle CreateFile(byte[] path)
    {
        int descriptor = Open(Absolute(path), WriteNewFile, PrivateFile);
        Check(path, descriptor < 0 ? -1 : 0);
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    public void AllowHoles(SafeFileHandle file)
    {
        // Every file may have holes here.
    }

    public void MakeSymlink(byte[] path, byte[] target, bool targetIsDirectory) =>
        Check(path, Symlink([.. target, 0], Absolute(path)));

    public byte[] ReadSymlink(byte[] path)
    {
        byte[] buffer = new byte[65536];
        nint length = ReadLink(Absolute(path), buffer, buffer.Length);
        Check(path, length < 0 ? -1 : 0);
        return buffer[..(int)length];
    }

    public void MakeHardLink(byte[] existing, byte[] path) => Check(path, Link(Absolute(existing), Absolute(path)));

    public string? TryMakeSpecial(byte[] path, in InodeAttributes attributes)
    {
        uint type = attributes.Type switch
        {
            ObjectType.Fifo => TypeFifo,
            ObjectType.Socket => TypeSocket,
            ObjectType.CharDevice => TypeChar,
            ObjectType.BlockDevice => TypeBlock,
            _ => 0,
        };
        if (type == 0)
            return $"a {MethodNames.Of(attributes.Type)} cannot be made here";
        if (MakeNode(Absolute(path), type | PrivateFile, DeviceOf(attributes)) == 0)
            return null;
        int error = Marshal.GetLastPInvokeError();
        return error == NotPermitted ? "only root may make devices" : new Win32Exception(error).Message;
    }

    public void SetAttributes(byte[] path, in InodeAttributes attributes)
    {
        byte[] absolute = Absolute(path);
        bool owned = _keepsOwners;
        if (owned)
            Check(path, ChangeOwner(absolute, attributes.Uid, attributes.Gid));
        // Set-user-id of somebody else's program must not become set-user-id of who copies.
        uint mode = owned ? attributes.Mode : attributes.Mode & ~SetIdBits;
        if (attributes.Type != ObjectType.Symlink)
            Check(path, ChangeMode(absolute, mode));
        long accessedUs = attributes.AccessTimeUs != 0 ? attributes.AccessTimeUs : attributes.ModifyTimeUs;
        Span<TimeSpec> times = [TimeOf(accessedUs), TimeOf(attributes.ModifyTimeUs)];
        Check(path, SetTimes(AtCurrentDirectory, absolute, times, NoFollow));
    }

    public void Delete(byte[] path) => Check(path, Unlink(Absolute(path)));

    public void Rename(byte[] from, byte[] to) => Check(from, Rename2(Absolute(from), Absolute(to)));

    // With the NUL that libc wants.
    private byte[] Absolute(byte[] path) =>
        path.Length == 0 ? [.. _root.Length == 0 ? "/"u8 : _root, 0] : [.. _root, (byte)'/', .. path, 0];

    private void Check(byte[] path, int result)
    {
        if (result != 0)
            throw Failed(path);
    }

    private IOException Failed(byte[] path)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException(
            $"{Show(path)}: {(error == IsDirectory ? "is a directory" : new Win32Exception(error).Message)}", error);
    }

    // glibc's and musl's 64-bit encoding of a device number.
    private static ulong DeviceOf(in InodeAttributes attributes)
    {
        ulong major = attributes.DeviceMajor, minor = attributes.DeviceMinor;
        return (major & 0xFFFFF000) << 32 | (major & 0xFFF) << 8 | (minor & 0xFFFFFF00) << 12 | (minor & 0xFF);
    }

    private static TimeSpec TimeOf(long us)
    {
        long seconds = Math.DivRem(us, 1_000_000, out long rest);
        return rest < 0 ? new TimeSpec(seconds - 1, (rest + 1_000_000) * 1000) : new TimeSpec(seconds, rest * 1000);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(byte[] path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true)]
    private static partial int MakeDirectory(byte[] path, uint mode);

    [LibraryImport("libc", EntryPoint = "symlink", SetLastError = true)]
    private static partial int Symlink(byte[] target, byte[] path);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    private static partial nint ReadLink(byte[] path, byte[] buffer, nint size);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true)]
    private static partial int Link(byte[] existing, byte[] path);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true)]
    private static partial int MakeNode(byte[] path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true)]
    private static partial int ChangeOwner(byte[] path, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    private static partial int ChangeMode(byte[] path, uint mode);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true)]
    private static partial int Unlink(byte[] path);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true)]
    private static partial int Rename2(byte[] from, byte[] to);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static partial int SetTimes(int directory, byte[] path, Span<TimeSpec> times, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(int directory, byte[] path, int flags, uint mask, out StatxBuffer buffer);

    private readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    // The same on every architecture.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(0x1C)] public ushort Mode;
        [FieldOffset(0x28)] public ulong Size;
        [FieldOffset(0x70)] public long MtimeSeconds;
        [FieldOffset(0x78)] public uint MtimeNanoseconds;
    }
}
