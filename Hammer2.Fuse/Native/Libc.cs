// What this is: the C library calls of the FUSE front end, as thin as they come.
// Invariants: errno is captured by the runtime (Marshal.GetLastPInvokeError); no call here retries or interprets anything;
// every descriptor made here is close-on-exec, so that no child keeps a connection or a watcher's pipe alive.
// Layers: calls libc only.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Native;

/// <summary>P/Invoke declarations.</summary>
internal static unsafe partial class Libc
{
    public const int OpenReadOnly = 0;
    public const int OpenReadWrite = 2;
    public const int OpenCloseOnExec = 0x80000;

    public const ulong MountReadOnly = 1;
    public const ulong MountNoSuid = 2;
    public const ulong MountNoDev = 4;

    public const int UnmountForce = 1;
    public const int UnmountDetach = 2;
    public const int UnmountNoFollow = 8;

    /// <summary><c>FUSE_DEV_IOC_CLONE</c>: makes a fresh /dev/fuse descriptor another end of an existing connection.</summary>
    public const ulong FuseDeviceClone = 0x8004E500;

    private const int FamilyUnix = 1;
    private const int SocketStream = 1;
    private const int SocketCloseOnExec = 0x80000;
    private const int SetDescriptorFlags = 2;
    private const int MessageCloseOnExec = 0x40000000;
    private const int LevelSocket = 1;
    private const int RightsMessage = 1;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int descriptor, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int IoControl(int descriptor, ulong request, uint* argument);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Mount(string source, string target, string type, ulong flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    public static partial int SyncFileSystem(int descriptor);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "getegid")]
    public static partial uint EffectiveGroupId();

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ResolvePath(string path, nint buffer);

    [LibraryImport("libc", EntryPoint = "free")]
    private static partial void Free(nint memory);

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    private static partial int SocketPair(int family, int type, int protocol, int* descriptors);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(int descriptor, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(int socket, MessageHeader* message, int flags);

    /// <summary>Opens a file close-on-exec. Returns the descriptor, or -1 with errno set.</summary>
    public static int Open(string path, int flags) => OpenPath(path, flags | OpenCloseOnExec, 0);

    /// <summary>The absolute path without symlinks, or null with errno set.</summary>
    public static string? RealPath(string path)
    {
        var resolved = ResolvePath(path, 0);
        if (resolved == 0)
            return null;
        var text = Marshal.PtrToStringUTF8(resolved);
        Free(resolved);
        return text;
    }

    /// <summary>Two connected sockets, both close-on-exec. Returns false with errno set.</summary>
    public static bool TrySocketPair(out int first, out int second)
    {
        var pair = stackalloc int[2];
        var made = SocketPair(FamilyUnix, SocketStream | SocketCloseOnExec, 0, pair) == 0;
        first = made ? pair[0] : -1;
        second = made ? pair[1] : -1;
        return made;
    }

    /// <summary>Lets the next child inherit a descriptor.</summary>
    public static bool TryMakeInheritable(int descriptor) => FileControl(descriptor, SetDescriptorFlags, 0) == 0;

    /// <summary>
    /// Takes one descriptor that the peer passed (SCM_RIGHTS), close-on-exec; -1 if the peer closed without one.
    /// </summary>
    public static int ReceiveDescriptor(int socket)
    {
        byte data;
        var vector = new IoVector { Base = &data, Length = 1 };
        // One cmsghdr (16 bytes on 64-bit Linux) and one int, padded to 8.
        var control = stackalloc byte[24];
        new Span<byte>(control, 24).Clear();
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
        nint received;
        do
            received = ReceiveMessage(socket, &message, MessageCloseOnExec);
        while (received < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (received <= 0 || message.ControlLength < 20)
            return -1;
        var level = *(int*)(control + 8);
        var type = *(int*)(control + 12);
        return level == LevelSocket && type == RightsMessage ? *(int*)(control + 16) : -1;
    }

    /// <summary>The last errno as a sentence.</summary>
    public static string LastErrorText() => Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public byte* Base;
        public nint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nint VectorCount;
        public byte* Control;
        public nint ControlLength;
        public int Flags;
    }
}
