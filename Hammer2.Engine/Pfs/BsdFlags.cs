// The BSD file flags that forbid changes (format page 5.6). Checked by every changing operation, whoever asks: a front
// end that knows a superuser clears the flag first, as chflags does.

namespace Hammer2.Engine.Pfs;

/// <summary>Flags of <c>chflags(2)</c> that the engine obeys.</summary>
public static class BsdFlags
{
    /// <summary>UF_IMMUTABLE, SF_IMMUTABLE: nothing may change.</summary>
    public const uint Immutable = 0x02 | 0x20000;

    /// <summary>UF_APPEND, SF_APPEND: files may only grow, directories only get entries.</summary>
    public const uint Append = 0x04 | 0x40000;

    /// <summary>UF_NOUNLINK, SF_NOUNLINK: names may not be removed.</summary>
    public const uint NoUnlink = 0x10 | 0x100000;

    /// <summary>What keeps existing content and names as they are.</summary>
    public const uint Fixed = Immutable | Append;

    /// <summary>Is one of the forbidding flags set?</summary>
    public static bool Forbid(uint flags, uint forbidding) => (flags & forbidding) != 0;
}
