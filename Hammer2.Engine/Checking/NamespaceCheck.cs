// The rules that need a whole PFS (format page 13.2, namespace): every name leads to an inode of its type, every inode has as
// many names as it says, each directory has one place, nobody is above himself. Runs on the tables of the walk, on one thread;
// no recursion, linear but for the searches.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Checks names against inodes.</summary>
internal sealed class NamespaceCheck(FindingList findings, PfsScan pfs, PfsTables tables)
{
    private const byte OnPath = 1;
    private const byte Placed = 2;
    private readonly InodeRecord[] _inodes = tables.Inodes;

    internal void Run()
    {
        for (int i = 1; i < _inodes.Length; i++)
        {
            if (_inodes[i].Number == _inodes[i - 1].Number)
                findings.Add(CheckCodes.InodeDuplicate, new Place(pfs, _inodes[i].Number), 0UL, $"Two inodes have the number {_inodes[i].Number}.");
        }

        CheckEntries();
        for (int i = 0; i < _inodes.Length; i++)
            CheckReferences(_inodes[i]);
        CheckCycles();
        CheckDuplicates();
    }

    private void CheckEntries()
    {
        ulong directory = 0;
        int parent = -1;
        foreach (ref readonly LinkRecord link in tables.Links.AsSpan())
        {
            if (parent < 0 || link.Directory != directory)
            {
                directory = link.Directory;
                parent = tables.Find(directory);
            }

            CheckEntry(link, parent);
        }
    }

    private void CheckEntry(in LinkRecord link, int parent)
    {
        var place = new Place(pfs, link.Directory, link.Key);
        int target = tables.Find(link.Target);
        if (link.Target == FormatLimits.RootInodeNumber)
        {
            findings.Add(CheckCodes.DirentRoot, place, 0UL, $"The entry with key 0x{link.Key:x} leads to the root directory.");
            return;
        }

        if (target < 0)
        {
            if (!pfs.IsLost(link.Target))
                findings.Add(CheckCodes.DirentDangling, place, 0UL, $"The entry with key 0x{link.Key:x} leads to inode {link.Target}, which does not exist.");
            return;
        }

        ref InodeRecord inode = ref _inodes[target];
        if (inode.Type != link.Type)
            findings.Add(CheckCodes.DirentType, place, 0UL, $"The entry with key 0x{link.Key:x} says {MethodNames.Of(link.Type)}, inode {link.Target} is a {MethodNames.Of(inode.Type)}.");
        inode.References++;
        if (inode.References == 1)
        {
            inode.Parent = parent;
            inode.EntryKey = link.Key;
        }

        if (inode.Type == ObjectType.Directory)
            CheckDirectoryEntry(link, ref inode, parent);
    }

    private void CheckDirectoryEntry(in LinkRecord link, ref InodeRecord inode, int parent)
    {
        if (parent >= 0)
            _inodes[parent].Subdirectories++;
        var place = new Place(pfs, inode.Number);
        if (inode.References > 1)
            findings.Add(CheckCodes.DirectoryTwice, place, 0UL, $"The entry with key 0x{link.Key:x} of directory {link.Directory} is the directory's name number {inode.References}.");
        else if (inode.NominalParent != link.Directory)
            findings.Add(CheckCodes.DirectoryParent, place, 0UL, $"The directory names inode {inode.NominalParent} as its parent, but stands in {link.Directory}.");
    }

    private void CheckReferences(in InodeRecord inode)
    {
        var place = new Place(pfs, inode.Number);
        bool root = inode.Number == FormatLimits.RootInodeNumber;
        if (inode.References == 0 && !root)
        {
            // Behind an unreadable directory everything looks like an orphan.
            if (pfs.HasLostNames)
                return;
            if (inode.LinkCount == 0)
                findings.Add(CheckCodes.OrphanUnlinked, place, 0UL, $"The {MethodNames.Of(inode.Type)} has no name and a link count of 0.");
            else
                findings.Add(CheckCodes.Orphan, place, 0UL, $"The {MethodNames.Of(inode.Type)} has no name and a link count of {inode.LinkCount}.");
        }
        else if (inode.Type == ObjectType.Directory)
        {
            if (inode.LinkCount != 1 && inode.LinkCount != 2 + inode.Subdirectories && !pfs.HasLostNames)
                findings.Add(CheckCodes.DirectoryLinks, place, 0UL, $"The directory has a link count of {inode.LinkCount} and {inode.Subdirectories} subdirectories.");
        }
        else if (inode.References != inode.LinkCount)
        {
            CheckCode code = pfs.HasLostNames && inode.References < inode.LinkCount ? CheckCodes.LinksUncertain : CheckCodes.Links;
            findings.Add(code, place, 0UL, $"The {MethodNames.Of(inode.Type)} has a link count of {inode.LinkCount} and {inode.References} names.");
        }
    }

    // Follows every directory upward until something that was followed before; what meets its own path goes round.
    private void CheckCycles()
    {
        var path = new List<int>();
        for (int start = 0; start < _inodes.Length; start++)
        {
            if (_inodes[start].Type != ObjectType.Directory)
                continue;
            path.Clear();
            int at = start;
            while (at >= 0 && _inodes[at].Mark == 0)
            {
                _inodes[at].Mark = OnPath;
                path.Add(at);
                at = _inodes[at].Number == FormatLimits.RootInodeNumber ? -1 : _inodes[at].Parent;
            }

            if (at >= 0 && _inodes[at].Mark == OnPath)
                findings.Add(CheckCodes.DirectoryCycle, new Place(pfs, _inodes[at].Number), 0UL, $"Directory {_inodes[at].Number} lies inside itself, {path.Count - path.IndexOf(at)} levels deep.");
            foreach (int passed in path)
                _inodes[passed].Mark = Placed;
        }
    }

    private void CheckDuplicates()
    {
        NameRecord[] names = tables.Crowded;
        Array.Sort(names, static (a, b) =>
            a.Directory != b.Directory ? a.Directory.CompareTo(b.Directory)
            : (a.Key | FormatLimits.CollisionMask) != (b.Key | FormatLimits.CollisionMask) ? a.Key.CompareTo(b.Key)
            : a.NameHash != b.NameHash ? a.NameHash.CompareTo(b.NameHash) : a.Key.CompareTo(b.Key));
        for (int i = 1; i < names.Length; i++)
        {
            bool same = names[i].Directory == names[i - 1].Directory && names[i].NameHash == names[i - 1].NameHash
                && (names[i].Key | FormatLimits.CollisionMask) == (names[i - 1].Key | FormatLimits.CollisionMask);
            if (same)
                findings.Add(CheckCodes.DirentDuplicate, new Place(pfs, names[i].Directory, names[i].Key), 0UL, $"The entries with keys 0x{names[i - 1].Key:x} and 0x{names[i].Key:x} have the same name.");
        }
    }
}
