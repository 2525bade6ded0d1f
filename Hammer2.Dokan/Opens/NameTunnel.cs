// What a name stood for a moment ago. Programs save by writing a new file and giving it the old one's name; on NTFS the
// name then keeps its creation time ("tunneling"), and here also the owner and mode that the program knows nothing of.
// Invariants: bounded; what is older than fifteen seconds does not count; a name is taken over once. Calls FoldTable and
// the clock it was given.

using Hammer2.Dokan.Names;
using Hammer2.Engine.Inodes;

namespace Hammer2.Dokan.Opens;

/// <summary>What a new holder of a name takes over.</summary>
internal readonly record struct TunneledFacts(uint Uid, uint Gid, uint Mode, long BirthTimeUs)
{
    /// <summary>Octal 06000: whoever runs the file becomes its owner or group. That was granted to the old content.</summary>
    internal const uint BecomesOwner = 0xC00;

    internal static TunneledFacts Of(in InodeAttributes inode) =>
        new(inode.Uid, inode.Gid, inode.Mode & ~BecomesOwner, inode.BirthTimeUs);
}

/// <summary>The names that went away last.</summary>
internal sealed class NameTunnel(TimeProvider clock)
{
    private const int NamesMax = 256;
    private static readonly TimeSpan s_lifetime = TimeSpan.FromSeconds(15);
    private readonly Lock _gate = new();
    private readonly Dictionary<(ulong Directory, string Fold), (TunneledFacts Facts, long Since)> _names = [];

    /// <summary>A file lost this name.</summary>
    internal void Remember(ulong directory, ReadOnlySpan<byte> name, in TunneledFacts facts)
    {
        lock (_gate)
        {
            if (_names.Count >= NamesMax)
                Forget();
            _names[(directory, FoldOf(name))] = (facts, clock.GetTimestamp());
        }
    }

    /// <summary>A file gets this name: what did it stand for?</summary>
    internal bool TryTake(ulong directory, ReadOnlySpan<byte> name, out TunneledFacts facts)
    {
        lock (_gate)
        {
            facts = default;
            if (_names.Count == 0 || !_names.Remove((directory, FoldOf(name)), out (TunneledFacts Facts, long Since) found))
                return false;
            facts = found.Facts;
            return clock.GetElapsedTime(found.Since) <= s_lifetime;
        }
    }

    /// <summary>Drops what is too old; when nothing is, all of it.</summary>
    private void Forget()
    {
        foreach (var (key, value) in _names)
        {
            if (clock.GetElapsedTime(value.Since) > s_lifetime)
                _names.Remove(key);
        }

        if (_names.Count >= NamesMax)
            _names.Clear();
    }

    private static string FoldOf(ReadOnlySpan<byte> name)
    {
        string shown = NameMapping.ToWindows(name);
        return string.Create(shown.Length, shown, static (folded, text) => FoldTable.Fold(text, folded));
    }
}
