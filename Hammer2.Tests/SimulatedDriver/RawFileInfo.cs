// The bytes of DokanFileInfo, so that the simulator can play the native side: it fills the context and the flags that
// have no setter, and reads back what the adapter left there.
// Invariant: same layout as DokanFileInfo (44 bytes, pack 4); checked when the simulator is made. Calls nothing.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>DokanFileInfo as the native library sees it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct RawFileInfo
{
    internal ulong Context;
    internal ulong EventId;
    internal nint Options;
    internal nint Processing;
    internal uint ProcessId;
    internal byte IsDirectory;
    internal byte DeletePending;
    internal byte PagingIo;
    internal byte SynchronousIo;
    internal byte NoCache;
    internal byte WriteToEndOfFile;

    internal static void CheckLayout()
    {
        Assert.AreEqual(44, Unsafe.SizeOf<RawFileInfo>());
        Assert.AreEqual(44, Unsafe.SizeOf<DokanFileInfo>());
        var raw = new RawFileInfo { ProcessId = 77, IsDirectory = 1, PagingIo = 1, WriteToEndOfFile = 1 };
        ref DokanFileInfo info = ref AsInfo(ref raw);
        Assert.IsTrue(info.IsDirectory && info.PagingIo && info.WriteToEndOfFile && info.ProcessId == 77);
        Assert.IsFalse(info.DeletePending || info.NoCache || info.SynchronousIo);
    }

    internal static ref DokanFileInfo AsInfo(ref RawFileInfo raw) => ref Unsafe.As<RawFileInfo, DokanFileInfo>(ref raw);
}
