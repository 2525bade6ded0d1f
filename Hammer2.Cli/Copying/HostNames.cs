// Names of one directory of the image as names of the destination. Invariants: a name that could
// leave the directory, or that no file system can hold, is refused; within one directory no two entries get
// names that the destination would take for one.

using System.Text;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Names;

namespace Hammer2.Cli.Copying;

/// <summary>Chooses names for the entries of one directory.</summary>
internal abstract class HostNames
{
    /// <summary>The name to store the entry under.</summary>
    /// <returns>False with a reason when the entry must not be copied.</returns>
    public bool TryTake(ReadOnlySpan<byte> name, ulong inodeNumber, out byte[] hostName, out string reason)
    {
        hostName = [];
        if (name.IsEmpty || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || name.ContainsAny((byte)'/', (byte)0))
        {
            reason = "refused: the name would lead out of its directory";
            return false;
        }

        return TryTakeSafe(name, inodeNumber, out hostName, out reason);
    }

    protected abstract bool TryTakeSafe(ReadOnlySpan<byte> name, ulong inodeNumber, out byte[] hostName, out string reason);
}

/// <summary>Systems that store any bytes.</summary>
internal sealed class UnixNames : HostNames
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    protected override bool TryTakeSafe(ReadOnlySpan<byte> name, ulong inodeNumber, out byte[] hostName, out string reason)
    {
        hostName = name.ToArray();
        reason = "damaged: the directory lists this name twice";
        return _taken.Add(Encoding.Latin1.GetString(name));
    }
}

/// <summary>Windows: forbidden characters move to the private area, names that differ only in case get a mark,
/// both exactly as a mount shows them.</summary>
internal sealed class WindowsNames : HostNames
{
    private readonly HashSet<string> _taken = new(StringComparer.OrdinalIgnoreCase);

    protected override bool TryTakeSafe(ReadOnlySpan<byte> name, ulong inodeNumber, out byte[] hostName, out string reason)
    {
        string shown = NameMapping.ToWindows(name);
        string free = shown;
        for (int number = 0; !_taken.Add(free); number++)
            free = CaseDecoration.Decorate(shown, inodeNumber, number);
        hostName = Encoding.UTF8.GetBytes(free);
        reason = "";
        return true;
    }
}
