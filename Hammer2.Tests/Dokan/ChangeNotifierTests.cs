// What Windows is told of changes that did not come through the drive (contract D.7): full paths, in order, nothing of the drive's own, and
// nothing of what has no path.

using System.Collections.Concurrent;
using System.Text;
using Hammer2.Dokan.Mounting;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Crash;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ChangeNotifierTests
{
    [TestMethod]
    public void D07_ChangesMadeElsewhereAreReportedWithFullPaths()
    {
        using Hammer2Volume volume = Hammer2Volume.Open(CrashSetup.Plain.Format(), CrashSetup.Plain.Options(writable: true));
        using PfsMount drive = volume.OpenPfs("DATA");
        using PfsMount beside = volume.OpenPfs("DATA");
        var windows = new Heard();
        using (drive.Follow(new ChangeNotifier(drive, @"M:\", windows, NullLogger.Instance).Deliver))
        {
            using Vnode root = beside.OpenRoot();
            using Vnode directory = Make(beside, root, "dir", ObjectType.Directory);
            using Vnode file = Make(beside, directory, "a:b", ObjectType.File);
            windows.Wait(2);
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "x"u8));
            windows.Wait(3);
            Assert.AreEqual(Hammer2Error.None, beside.TryRename(directory, "a:b"u8, root, "c"u8, RenameMode.Replace));
            windows.Wait(5);
            Assert.AreEqual(Hammer2Error.None, root.TrySetAttributes(new AttributeChanges { Mode = 0x1FF }));
            windows.Wait(6);
            Assert.AreEqual(Hammer2Error.None, beside.TryDestroyName(root, "c"u8));
            windows.Wait(7);

            // Without a path now: nobody is told.
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "y"u8));

            // The drive's own: the driver says it by itself.
            using (Vnode own = drive.OpenRoot())
                Make(drive, own, "own", ObjectType.File).Dispose();
            Assert.AreEqual(Hammer2Error.None, beside.TryRemoveDirectory(root, "dir"u8));
            windows.Wait(8);
        }

        // After the end nothing is delivered any more.
        using (Vnode root = beside.OpenRoot())
            Make(beside, root, "late", ObjectType.File).Dispose();
        string colon = Hammer2.Dokan.Names.NameMapping.ToWindows("a:b"u8);
        CollectionAssert.AreEqual(
            new[]
            {
                @"+ M:\dir\", $@"+ M:\dir\{colon}", $@"! M:\dir\{colon}", $@"- M:\dir\{colon}", @"+ M:\c", @"! M:\", @"- M:\c", @"- M:\dir\",
            },
            windows.All);
    }

    [TestMethod]
    public void ManyUpdatesOfOneFileThatWaitAreOne()
    {
        using Hammer2Volume volume = Hammer2Volume.Open(CrashSetup.Plain.Format(), CrashSetup.Plain.Options(writable: true));
        using PfsMount drive = volume.OpenPfs("DATA");
        using PfsMount beside = volume.OpenPfs("DATA");
        using Vnode root = beside.OpenRoot();
        using Vnode file = Make(beside, root, "file", ObjectType.File);
        using var goOn = new ManualResetEventSlim();
        int heard = 0;
        using (drive.Follow(_ =>
        {
            Interlocked.Increment(ref heard);
            goOn.Wait();
        }))
        {
            for (int i = 0; i < 1000; i++)
                Assert.AreEqual(Hammer2Error.None, file.TryWrite(i, "x"u8));
            goOn.Set();
            Make(beside, root, "last", ObjectType.File).Dispose();
            SpinWait.SpinUntil(() => Volatile.Read(ref heard) >= 3, TimeSpan.FromSeconds(60));
        }

        Assert.IsTrue(heard is 2 or 3, $"{heard} deliveries");
    }

    private static Vnode Make(PfsMount pfs, Vnode directory, string name, ObjectType type)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(directory, Encoding.UTF8.GetBytes(name), new NewInode { Type = type, Mode = 0x1ED }, out Vnode? made));
        return made!;
    }

    private sealed class Heard : INotifications
    {
        private readonly ConcurrentQueue<string> _all = new();

        internal string[] All => [.. _all];

        public bool Created(string path, bool isDirectory) => Add($"+ {path}{(isDirectory ? @"\" : "")}");

        public bool Deleted(string path, bool isDirectory) => Add($"- {path}{(isDirectory ? @"\" : "")}");

        public bool Updated(string path) => Add($"! {path}");

        internal void Wait(int count) =>
            Assert.IsTrue(SpinWait.SpinUntil(() => _all.Count >= count, TimeSpan.FromSeconds(60)), $"only: {string.Join(", ", _all)}");

        private bool Add(string what)
        {
            _all.Enqueue(what);
            return true;
        }
    }
}
