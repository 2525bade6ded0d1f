// Follows symbolic links inside the volume (dokan-semantics G.1): Windows cannot be given links through Dokan, so a link
// to a regular file is shown as that file and every other one as a small text file.
// Invariants: at most 40 links and 64 KiB of text are followed; a link never leads out of the volume (absolute targets and
// ".." above the root do), never to a directory. Works on medium bytes. Calls the engine.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Directories;

/// <summary>Resolution of link texts.</summary>
internal sealed class LinkResolver(PfsMount pfs)
{
    private const int LinksMax = 40;
    private const int TextBytesMax = 64 * 1024;

    /// <summary>The regular file that a link text means, seen from a directory.</summary>
    /// <returns>False when it means anything else, or nothing.</returns>
    internal bool TryFollow(ulong directory, ReadOnlySpan<byte> text, out InodeAttributes file)
    {
        byte[] rest = text.ToArray();
        int start = 0;
        int links = 1;
        file = default;
        if (rest.Length == 0 || rest[0] == (byte)'/')
            return false;
        while (true)
        {
            ReadOnlySpan<byte> remaining = rest.AsSpan(start);
            int slash = remaining.IndexOf((byte)'/');
            ReadOnlySpan<byte> component = slash < 0 ? remaining : remaining[..slash];
            ReadOnlySpan<byte> after = slash < 0 ? [] : remaining[(slash + 1)..];
            bool last = slash < 0;
            start = rest.Length - after.Length;
            if (component.IsEmpty || component is [(byte)'.'])
            {
                if (last)
                    return false; // Ends in a directory.
                continue;
            }

            if (!TryStep(directory, component, out InodeAttributes met))
                return false;
            switch (met.Type)
            {
                case ObjectType.Directory when !last:
                    directory = met.InodeNumber;
                    break;
                case ObjectType.File when last:
                    file = met;
                    return true;
                case ObjectType.Symlink when links++ < LinksMax:
                    if (!TryExpand(met.InodeNumber, after, last, out rest))
                        return false;
                    start = 0;
                    break;
                default:
                    return false;
            }
        }
    }

    /// <summary>The text of a link.</summary>
    internal Hammer2Error TryReadText(ulong linkInode, out byte[] text)
    {
        text = [];
        Hammer2Error error = pfs.TryOpen(linkInode, out Vnode? link);
        if (error != Hammer2Error.None || link is null)
            return error;
        using (link)
            text = link.ReadLink();
        return Hammer2Error.None;
    }

    private bool TryStep(ulong directory, ReadOnlySpan<byte> component, out InodeAttributes met)
    {
        met = default;
        if (component is [(byte)'.', (byte)'.'] && directory == PfsMount.RootInodeNumber)
            return false; // Above the root is another volume.
        return pfs.TryLookup(directory, component, out met) == Hammer2Error.None;
    }

    /// <summary>The text of a link on the way, followed by what was still to come.</summary>
    private bool TryExpand(ulong linkInode, ReadOnlySpan<byte> after, bool last, out byte[] text)
    {
        if (TryReadText(linkInode, out text) != Hammer2Error.None || text.Length == 0 || text[0] == (byte)'/'
            || text.Length + 1 + after.Length > TextBytesMax)
        {
            return false;
        }

        if (!last)
            text = [.. text, (byte)'/', .. after];
        return true;
    }
}
