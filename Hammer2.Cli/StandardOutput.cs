// Standard output as a raw stream that notices when its reader is gone. Console.OpenStandardOutput
// swallows a broken pipe, so that `hammer2 cat disk.img /huge | head -c 1` would read the whole file
// for nobody; FileStream keeps a position of its own, so that two commands sharing one redirected
// file would overwrite each other. Calls the operating system only.

using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Hammer2.Cli;

/// <summary>Write-only, unbuffered; throws <see cref="OutputClosedException"/> when the pipe is broken.</summary>
internal sealed partial class StandardOutput : Stream
{
    private const int InterruptedCall = 4, TryAgain = 11, TryAgainMac = 35, BrokenPipe = 32;
    private const int WindowsBrokenPipe = 109, WindowsNoData = 232, WindowsInvalidHandle = 6;
    private const short PollOut = 4;

    private readonly nint _windowsHandle = OperatingSystem.IsWindows() ? GetStdHandle(-11) : 0;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int written = OperatingSystem.IsWindows() ? WriteWindows(buffer) : WriteUnix(buffer);
            buffer = buffer[written..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is buffered here.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private static int WriteUnix(ReadOnlySpan<byte> buffer)
    {
        nint written = WriteFileDescriptor(1, buffer, buffer.Length);
        if (written >= 0)
            return (int)written;
        int error = Marshal.GetLastPInvokeError();
        switch (error)
        {
            case InterruptedCall:
                return 0;
            case TryAgain or TryAgainMac:
                // Somebody made the shared descriptor non-blocking: wait until it takes bytes again.
                var wait = new PollDescriptor { Descriptor = 1, Events = PollOut };
                _ = Poll(ref wait, 1, -1);
                return 0;
            case BrokenPipe:
                throw new OutputClosedException();
            default:
                throw new IOException("standard output: " + new Win32Exception(error).Message);
        }
    }

    private int WriteWindows(ReadOnlySpan<byte> buffer)
    {
        // A console handle takes about 64 KB at most in one call on older systems.
        ReadOnlySpan<byte> part = buffer[..Math.Min(buffer.Length, 32768)];
        if (WriteFile(_windowsHandle, part, part.Length, out int written, 0))
            return written;
        int error = Marshal.GetLastPInvokeError();
        if (error is WindowsBrokenPipe or WindowsNoData or WindowsInvalidHandle)
            throw new OutputClosedException();
        throw new IOException("standard output: " + new Win32Exception(error).Message);
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteFileDescriptor(int descriptor, ReadOnlySpan<byte> buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeoutMs);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial nint GetStdHandle(int which);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool WriteFile(nint handle, ReadOnlySpan<byte> buffer, int count, out int written, nint overlapped);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
