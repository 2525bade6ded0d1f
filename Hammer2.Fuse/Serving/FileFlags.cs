// What this is: the flags of BSD's chflags as those of Linux's chattr, and back.
// Invariants: pure functions; flags that the other side does not know are left as they are. Linux lets only root set
// immutable and append-only, so they become the system's flags of BSD, and clearing them clears the user's too.
// Layers: none.

namespace Hammer2.Fuse.Serving;

/// <summary>Converts and tests file flags.</summary>
internal static class FileFlags
{
    private const uint UserNoDump = 0x1;
    private const uint UserImmutable = 0x2;
    private const uint UserAppend = 0x4;
    private const uint SystemImmutable = 0x20000;
    private const uint SystemAppend = 0x40000;

    private const uint LinuxImmutable = 0x10;
    private const uint LinuxAppend = 0x20;
    private const uint LinuxNoDump = 0x40;

    /// <summary>The flags of chattr that can be set.</summary>
    public const uint LinuxKnown = LinuxImmutable | LinuxAppend | LinuxNoDump;

    /// <summary>True if the contents may not change at all.</summary>
    public static bool IsImmutable(uint flags) => (flags & (UserImmutable | SystemImmutable)) != 0;

    /// <summary>True if the contents may only grow.</summary>
    public static bool IsAppendOnly(uint flags) => (flags & (UserAppend | SystemAppend)) != 0;

    /// <summary>What lsattr shows.</summary>
    public static uint ToLinux(uint flags) => (IsImmutable(flags) ? LinuxImmutable : 0)
        | (IsAppendOnly(flags) ? LinuxAppend : 0)
        | ((flags & UserNoDump) != 0 ? LinuxNoDump : 0);

    /// <summary>The flags after chattr.</summary>
    public static uint FromLinux(uint before, uint wanted)
    {
        var flags = before;
        if ((wanted & LinuxImmutable) == 0)
            flags &= ~(UserImmutable | SystemImmutable);
        else if (!IsImmutable(flags))
            flags |= SystemImmutable;
        if ((wanted & LinuxAppend) == 0)
            flags &= ~(UserAppend | SystemAppend);
        else if (!IsAppendOnly(flags))
            flags |= SystemAppend;
        return (wanted & LinuxNoDump) != 0 ? flags | UserNoDump : flags & ~UserNoDump;
    }
}
