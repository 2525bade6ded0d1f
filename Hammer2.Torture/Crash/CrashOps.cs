// The single operations of which the short workloads are made, and the tree that they work on. Each is one call of the
// interface (or the few that belong together) and one that matters to a commit: a different path through the engine.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Crash;

/// <summary>A named operation.</summary>
internal sealed record CrashOp(string Name, Action<CrashRun> Run);

/// <summary>All of them.</summary>
internal static class CrashOps
{
    private static readonly string s_longName = new('n', 200);

    /// <summary>The tree before.</summary>
    internal static void Prior(CrashRun run)
    {
        run.Put("/small", CrashRun.Text(100, 1));
        run.Put("/large", CrashRun.Noise(200_000, 2));
        run.Put("/text", CrashRun.Text(3 * 65536, 3));
        run.MakeDirectory("/dir");
        run.Put("/dir/in", CrashRun.Noise(1000, 4));
        run.Put("/dir/" + s_longName, CrashRun.Text(70_000, 5));
        run.MakeDirectory("/empty");
        run.Create("/link", ObjectType.Symlink, "dir/in"u8.ToArray());
        run.Put("/one", CrashRun.Noise(70_000, 6));
        run.Link("/one", "/dir/two");
    }

    internal static IReadOnlyList<CrashOp> All { get; } =
    [
        new("create file", r => r.Create("/new")),
        new("create directory", r => r.MakeDirectory("/newdir")),
        new("create in directory", r => r.Create("/dir/new")),
        new("create symlink", r => r.Create("/newlink", ObjectType.Symlink, "small"u8.ToArray())),
        new("create long symlink", r => r.Create("/newlong", ObjectType.Symlink, Encoding.ASCII.GetBytes(new string('t', 900)))),
        new("create fifo", r => r.Create("/fifo", ObjectType.Fifo)),
        new("create long name", r => r.Create("/" + s_longName)),
        new("write small", r => r.Write("/small", 50, CrashRun.Noise(60, 11))),
        new("write over embedded", r => r.Write("/small", 0, CrashRun.Noise(300_000, 12))),
        new("write new large", r => r.Put("/big", CrashRun.Noise(1_000_000, 13))),
        new("write new text", r => r.Put("/bigtext", CrashRun.Text(700_000, 14))),
        new("overwrite block", r => r.Write("/large", 65536, CrashRun.Noise(65536, 15))),
        new("overwrite part", r => r.Write("/large", 70_000, CrashRun.Text(100, 16))),
        new("overwrite with the same", r => r.Write("/text", 0, CrashRun.Text(3 * 65536, 3))),
        new("copy of a block", r => r.Put("/copy", CrashRun.Noise(200_000, 2))),
        new("write zeros", r => r.Write("/large", 0, new byte[131072])),
        new("write far", r => r.Write("/large", 8_000_000, CrashRun.Noise(100, 17))),
        new("append", r => r.Append("/large", CrashRun.Noise(100_000, 18))),
        new("append small", r => r.Append("/small", CrashRun.Text(700, 19))),
        new("cut", r => r.SetSize("/large", 100_001)),
        new("cut to nothing", r => r.SetSize("/large", 0)),
        new("cut to ten", r => r.SetSize("/one", 10)),
        new("extend", r => r.SetSize("/large", 1_000_000)),
        new("extend embedded", r => r.SetSize("/small", 5000)),
        new("punch block", r => r.Punch("/large", 65536, 65536)),
        new("punch part", r => r.Punch("/large", 60_000, 20_000)),
        new("allocate", r => r.Allocate("/one", 0, 200_000, keepSize: false)),
        new("set attributes", r => r.Set("/small", new AttributeChanges { Mode = 0x1C0, Uid = 99, ModifyTimeUs = 123456789 })),
        new("set methods", r => r.Set("/large", new AttributeChanges { Compression = CompressionMethod.Zlib, CompressionLevel = 3, Check = CheckMethod.Sha192 })),
        new("set directory", r => r.Set("/dir", new AttributeChanges { Mode = 0x1C0 })),
        new("link", r => r.Link("/large", "/dir/another")),
        new("unlink", r => r.Unlink("/large")),
        new("unlink small", r => r.Unlink("/small")),
        new("unlink one of two", r => r.Unlink("/one")),
        new("unlink long name", r => r.Unlink("/dir/" + s_longName)),
        new("remove directory", r => r.RemoveDirectory("/empty")),
        new("rename", r => r.Rename("/large", "/renamed")),
        new("rename over", r => r.Rename("/small", "/large")),
        new("rename to another link", r => r.Rename("/one", "/dir/two")),
        new("rename without replacing", r => r.Rename("/small", "/dir/moved", RenameMode.NoReplace)),
        new("exchange", r => r.Rename("/small", "/dir", RenameMode.Exchange)),
        new("exchange across", r => r.Rename("/large", "/dir/in", RenameMode.Exchange)),
        new("move directory", r => r.Rename("/dir", "/empty/dir")),
        new("rename directory over", r => r.Rename("/dir", "/empty")),
        new("unlink open", r =>
        {
            if (!r.Hold("/large"))
                return;
            r.Unlink("/large");
            r.WithHeld(file => file.TryWrite(0, CrashRun.Noise(300_000, 20)));
        }),
        new("unlink open and close", r =>
        {
            if (!r.Hold("/text"))
                return;
            r.Unlink("/text");
            r.WithHeld(file => file.TryAppend(CrashRun.Noise(100_000, 21), out _));
            r.LetGo();
        }),
        new("create open and unlink", r =>
        {
            if (r.Create("/gone", hold: true) != Hammer2Error.None)
                return;
            r.WithHeld(file => file.TryWrite(0, CrashRun.Noise(150_000, 22)));
            r.Unlink("/gone");
        }),
    ];
}
