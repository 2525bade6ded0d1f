// Acting as another user towards filesystems, in one thread: setfsuid(2) and setfsgid(2) change the calling thread only, and take
// the capabilities of file access from it. The thread is thrown away afterwards.
// Layers: libc only.

using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Hammer2.Tests.Kernel;

/// <summary>A user and a group that file system calls are made as.</summary>
internal sealed partial record FileUser(uint Uid, uint Gid)
{
    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int SetUserCall(uint uid);

    [LibraryImport("libc", EntryPoint = "setfsgid")]
    private static partial int SetGroupCall(uint gid);

    /// <summary>Makes calls as this user; what they return is passed on.</summary>
    public long Do(Func<long> calls)
    {
        long result = 0;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                // The group first: without the user's privileges it can no longer be changed.
                _ = SetGroupCall(Gid);
                _ = SetUserCall(Uid);
                Assert.AreEqual(Uid, (uint)SetUserCall(Uid), "the user was not changed");
                result = calls();
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
