// What the callbacks of the Windows drive cost, from the call that the library would make to its answer: names in native
// memory, contexts as GC handles, everything from a warm cache. The driver and the way to it are not in these numbers.
// Calls the adapter as the library does.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using BenchmarkDotNet.Attributes;
using DokanNet;
using Hammer2.Dokan;
using Hammer2.Dokan.Operations;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using LTRData.Extensions.Native.Memory;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Benchmarks;

/// <summary>Callbacks on a volume in memory, with a directory of 100,000 files.</summary>
[MemoryDiagnoser]
[SupportedOSPlatform("windows")]
[SuppressMessage("Design", "CA1001", Justification = "Whoever runs benchmarks calls the cleanup.")]
public unsafe class CallbackBenchmarks
{
    internal const int Files = 100_000;
    internal const int Few = 1000;
    internal const int OfTwo = 2 * Rounds;
    private const int BlockBytes = 65536;
    private const int Rounds = 2000;
    private const FileShare ShareAll = FileShare.ReadWrite | FileShare.Delete;
    private Hammer2Volume _volume = null!;
    private PfsMount _pfs = null!;
    private Hammer2Operations _adapter = null!;
    private NativeName _exact = null!;
    private NativeName _folded = null!;
    private NativeName _missing = null!;
    private NativeName _deep = null!;
    private NativeName _fresh = null!;
    private NativeName _directory = null!;
    private NativeName _few = null!;
    private NativeName[] _others = null!;
    private byte* _buffer;
    private DokanFileInfo _open;
    private DokanFileInfo _listed;
    private DokanFileInfo _listedFew;
    private int _round;

    /// <summary>Makes the volume.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var memory = new MemoryBlockDevice(4L << 30);
        VolumeFormatter.Format([memory]);
        _volume = Hammer2Volume.Open([memory], new VolumeOptions { Writable = true, CommitInterval = TimeSpan.Zero });
        _pfs = _volume.OpenPfs();
        using (Vnode root = _pfs.OpenRoot())
        using (Vnode large = Make(root, "large", ObjectType.Directory))
        {
            for (int i = 0; i < Files; i++)
                Make(large, $"File number {i:d6}.txt", ObjectType.File).Dispose();
            using (Vnode few = Make(root, "few", ObjectType.Directory))
            {
                for (int i = 0; i < Few; i++)
                    Make(few, $"File number {i:d6}.txt", ObjectType.File).Dispose();
            }

            using Vnode a = Make(root, "a", ObjectType.Directory), b = Make(a, "b", ObjectType.Directory), data = Make(b, "data.bin", ObjectType.File);
            Make(b, "left.bin", ObjectType.File).Dispose();
            Make(b, "right.bin", ObjectType.File).Dispose();
            data.TryWrite(0, new byte[64 * BlockBytes]);
        }

        _volume.Sync();
        _adapter = new Hammer2Operations(_pfs, new DokanMountOptions(), "S-1-5-18", (_, _) => null);
        _exact = new NativeName("\\large\\File number 054321.txt");
        _folded = new NativeName("\\LARGE\\FILE NUMBER 054321.TXT");
        _missing = new NativeName("\\large\\desktop.ini");
        _deep = new NativeName("\\a\\b\\data.bin");
        _fresh = new NativeName("\\a\\b\\fresh.tmp");
        _directory = new NativeName("\\large");
        _few = new NativeName("\\few");
        _others = [new NativeName("\\a\\b\\left.bin"), new NativeName("\\a\\b\\right.bin")];
        _buffer = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(BlockBytes);
        Open(_deep, ref _open, FileMode.Open);
        Open(_directory, ref _listed, FileMode.Open);
        Open(_few, ref _listedFew, FileMode.Open);
    }

    /// <summary>Releases everything.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        DokanFileInfo none = default;
        _adapter.Unmounted(ref none);
        _adapter.Dispose();
        _pfs.Dispose();
        _volume.Dispose();
        System.Runtime.InteropServices.NativeMemory.Free(_buffer);
    }

    /// <summary>CreateFile, GetFileInformation, Cleanup, CloseFile of a file three levels down.</summary>
    [Benchmark]
    public void OpenInfoClose() => OpenInfoClose(_deep);

    /// <summary>The same in a directory of 100,000, by the exact name.</summary>
    [Benchmark]
    public void OpenExact() => OpenInfoClose(_exact);

    /// <summary>The same in another case.</summary>
    [Benchmark]
    public void OpenFolded() => OpenInfoClose(_folded);

    /// <summary>A file that is not there.</summary>
    [Benchmark]
    public void OpenMissing()
    {
        DokanFileInfo info = default;
        Expect(NtStatus.ObjectNameNotFound, Create(_missing, ref info, FileMode.Open));
    }

    /// <summary>GetFileInformation alone.</summary>
    [Benchmark]
    public void Info()
    {
        DokanFileInfo info = _open;
        Expect(NtStatus.Success, _adapter.GetFileInformation(_deep.Text, out _, ref info));
    }

    /// <summary>ReadFile of 64 KiB.</summary>
    [Benchmark]
    public void Read64K() => Read(BlockBytes);

    /// <summary>ReadFile of 4 KiB.</summary>
    [Benchmark]
    public void Read4K() => Read(4096);

    /// <summary>WriteFile of 64 KiB over what is dirty already.</summary>
    [Benchmark]
    public void Write64K()
    {
        DokanFileInfo info = _open;
        Expect(NtStatus.Success, _adapter.WriteFile(_deep.Text, new ReadOnlyNativeMemory<byte>((nint)_buffer, BlockBytes), out _, 0, ref info));
    }

    /// <summary>A new file, closed, opened to delete, deleted.</summary>
    [Benchmark]
    public void CreateAndDelete()
    {
        DokanFileInfo info = default;
        Open(_fresh, ref info, FileMode.CreateNew);
        Close(_fresh, ref info);
        info = default;
        Open(_fresh, ref info, FileMode.Open);
        SetDeletePending(ref info);
        Expect(NtStatus.Success, _adapter.DeleteFile(_fresh.Text, ref info));
        Close(_fresh, ref info);
    }

    /// <summary>A listing of 100,000 entries with attributes; the time is that of one entry.</summary>
    [Benchmark(OperationsPerInvoke = Files)]
    public void ListEntry() => List(_directory, _listed, Files);

    /// <summary>The same of a directory whose index of names is not at hand: it is read twice.</summary>
    [Benchmark(OperationsPerInvoke = Files)]
    public void ListFirst()
    {
        _adapter.Indexes.Dispose();
        List(_directory, _listed, Files);
    }

    /// <summary>A listing of 1000 entries; the time is that of one.</summary>
    [Benchmark(OperationsPerInvoke = Few)]
    public void ListThousand() => List(_few, _listedFew, Few);

    /// <summary>Opens, queries and closes by two threads; the time is that of one of all of them.</summary>
    [Benchmark(OperationsPerInvoke = OfTwo)]
    public void OpenInfoCloseByTwo() => ByTwo(_ => OpenInfoClose(_deep));

    /// <summary>Opens, queries and closes of a file that nobody else has open, by one thread.</summary>
    [Benchmark]
    public void OpenOther() => OpenInfoClose(_others[0]);

    /// <summary>The same, each thread with a file of its own in the same directory.</summary>
    [Benchmark(OperationsPerInvoke = OfTwo)]
    public void OpenOthersByTwo() => ByTwo(thread => OpenInfoClose(_others[thread]));

    /// <summary>Arithmetic by two threads, for comparison: what a second one is worth on this machine at this moment.</summary>
    [Benchmark(OperationsPerInvoke = OfTwo)]
    public void NothingByTwo() => ByTwo(_ => Nothing());

    /// <summary>The same arithmetic by one.</summary>
    [Benchmark]
    public void Nothing()
    {
        ulong state = 1;
        for (int i = 0; i < 1000; i++)
            state = (state * 6364136223846793005UL) + (ulong)i;
        GC.KeepAlive(state == 0 ? this : null);
    }

    /// <summary>Reads of 64 KiB by two threads.</summary>
    [Benchmark(OperationsPerInvoke = OfTwo)]
    public void Read64KByTwo() => ByTwo(_ => Read(BlockBytes));

    // Two threads of their own, which begin together: work that is handed to a pool may all be done by whoever comes first.
    private static void ByTwo(Action<int> act)
    {
        using var begin = new Barrier(2);
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(number => new Thread(() =>
        {
            begin.SignalAndWait();
            for (int i = 0; i < Rounds; i++)
                act(number);
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
    }

    private void List(NativeName name, DokanFileInfo info, int wanted)
    {
        int count = 0;
        Expect(NtStatus.Success, _adapter.FindFilesWithPattern(name.Text, default, out IEnumerable<FindFileInformation> files, ref info));
        foreach (FindFileInformation file in files)
            count += file.FileName.Length > 0 ? 1 : 0;
        if (count < wanted)
            throw new InvalidOperationException($"{count} entries");
    }

    private void OpenInfoClose(NativeName name)
    {
        DokanFileInfo info = default;
        Open(name, ref info, FileMode.Open);
        Expect(NtStatus.Success, _adapter.GetFileInformation(name.Text, out _, ref info));
        Close(name, ref info);
    }

    private void Read(int bytes)
    {
        DokanFileInfo info = _open;
        byte* target = stackalloc byte[bytes];
        long offset = (_round++ & 63) * (long)BlockBytes;
        Expect(NtStatus.Success, _adapter.ReadFile(_deep.Text, new NativeMemory<byte>((nint)target, bytes), out _, offset, ref info));
    }

    private void Open(NativeName name, ref DokanFileInfo info, FileMode mode) => Expect(NtStatus.Success, Create(name, ref info, mode));

    private NtStatus Create(NativeName name, ref DokanFileInfo info, FileMode mode) =>
        _adapter.CreateFile(name.Text, FileAccess.GenericRead, ShareAll, mode, FileOptions.None, FileAttributes.Normal, ref info);

    private void Close(NativeName name, ref DokanFileInfo info)
    {
        _adapter.Cleanup(name.Text, ref info);
        _adapter.CloseFile(name.Text, ref info);
        info.Context = null;
    }

    private static void SetDeletePending(ref DokanFileInfo info) => info.DeletePending = true;

    private Vnode Make(Vnode directory, string name, ObjectType type)
    {
        _pfs.TryCreate(directory, Encoding.UTF8.GetBytes(name), new NewInode { Type = type, Mode = 0x1ED }, out Vnode? made);
        return made!;
    }

    private static void Expect(NtStatus expected, NtStatus actual)
    {
        if (actual != expected)
            throw new InvalidOperationException($"status {(long)actual:X8}");
    }

    private sealed class NativeName(string text)
    {
        private readonly nint _address = Marshal.StringToHGlobalUni(text);

        internal ReadOnlyNativeMemory<char> Text => new(_address, text.Length);
    }
}
