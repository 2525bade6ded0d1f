// Decides what happens to the names of one PFS, from the tables of the check: which entries stay, which inodes get a new
// name, which go, and the link counts and parents that follow. No content is ever dropped but that of objects that were deleted
// already. Where names are unreadable, an inode without a visible name is left alone: its name may be among them.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Plans the repair of one namespace. Overwrites what NamespaceCheck has put into the tables.</summary>
internal sealed class NamespacePlan(RepairPlan plan, PfsScan pfs, PfsTables tables)
{
    private const byte OnPath = 1;
    private const byte Placed = 2;
    private const byte HasEntries = 4;
    private const byte Cut = 8;
    private const byte Deleted = 16;
    private readonly InodeRecord[] _inodes = tables.Inodes;

    internal void Decide()
    {
        for (int i = 0; i < _inodes.Length; i++)
            (_inodes[i].References, _inodes[i].Subdirectories, _inodes[i].Parent, _inodes[i].Mark) = (0, 0, -1, 0);
        foreach (ref readonly LinkRecord link in tables.Links.AsSpan())
            DecideEntry(link);
        CutCycles();
        for (int i = 0; i < _inodes.Length; i++)
        {
            if (_inodes[i].Number != FormatLimits.RootInodeNumber && IsKnown(i))
                DecideName(i);
        }

        for (int i = 0; i < _inodes.Length; i++)
        {
            if (IsKnown(i))
                DecideLinks(i);
        }

        if (_inodes[^1].Number >= Math.Max(pfs.NextInode, FormatLimits.RootInodeNumber + 1))
        {
            var place = new Place(pfs, FormatLimits.RootInodeNumber);
            plan.Add(new RepairStep(RepairKind.RaiseNextInode, CheckCodes.InodeNumberNext, place, _inodes[^1].Number + 1));
        }
    }

    // Twice in the tables, or of a type that nobody knows: no rule says what is right.
    private bool IsKnown(int index) => MethodNames.IsKnown(_inodes[index].Type)
        && (index == 0 || _inodes[index - 1].Number != _inodes[index].Number)
        && (index + 1 == _inodes.Length || _inodes[index + 1].Number != _inodes[index].Number);

    private void DecideEntry(in LinkRecord link)
    {
        int directory = tables.Find(link.Directory);
        if (directory >= 0)
            _inodes[directory].Mark |= HasEntries;
        int target = tables.Find(link.Target);
        if (link.Target == FormatLimits.RootInodeNumber)
        {
            Remove(CheckCodes.DirentRoot, link.Directory, link.Key);
            return;
        }

        if (target < 0)
        {
            if (!pfs.IsLost(link.Target))
                Remove(CheckCodes.DirentDangling, link.Directory, link.Key);
            return;
        }

        ref InodeRecord inode = ref _inodes[target];
        if (inode.Type == ObjectType.Directory && directory >= 0 && !TryPlace(link, ref inode, directory))
            return;
        inode.References++;
        if (inode.Type != link.Type && IsKnown(target))
            plan.Add(new RepairStep(RepairKind.RetypeEntry, CheckCodes.DirentType, new Place(pfs, link.Directory, link.Key), (ulong)inode.Type));
        if (inode.Parent < 0)
            (inode.Parent, inode.EntryKey) = (directory, link.Key);
    }

    // A directory has one place: the one that it names itself when it is there, else the first.
    private bool TryPlace(in LinkRecord link, ref InodeRecord inode, int directory)
    {
        if (inode.Parent < 0)
            return true;
        if (link.Directory != inode.NominalParent || _inodes[inode.Parent].Number == inode.NominalParent)
        {
            Remove(CheckCodes.DirectoryTwice, link.Directory, link.Key);
            return false;
        }

        Remove(CheckCodes.DirectoryTwice, _inodes[inode.Parent].Number, inode.EntryKey);
        (inode.Parent, inode.EntryKey) = (directory, link.Key);
        inode.References--;
        return true;
    }

    // Directories that go round are cut loose at the one with the smallest number, which then counts as an orphan.
    private void CutCycles()
    {
        var path = new List<int>();
        for (int start = 0; start < _inodes.Length; start++)
        {
            if (_inodes[start].Type != ObjectType.Directory)
                continue;
            path.Clear();
            int at = start;
            while (at >= 0 && (_inodes[at].Mark & (OnPath | Placed)) == 0)
            {
                _inodes[at].Mark |= OnPath;
                path.Add(at);
                at = _inodes[at].Number == FormatLimits.RootInodeNumber ? -1 : _inodes[at].Parent;
            }

            if (at >= 0 && (_inodes[at].Mark & Placed) == 0)
            {
                ref InodeRecord first = ref _inodes[path.Skip(path.IndexOf(at)).Min()];
                Remove(CheckCodes.DirectoryCycle, _inodes[first.Parent].Number, first.EntryKey);
                (first.Parent, first.References) = (-1, 0);
                first.Mark |= Cut;
            }

            foreach (int passed in path)
                _inodes[passed].Mark |= Placed;
        }
    }

    private void DecideName(int index)
    {
        ref InodeRecord inode = ref _inodes[index];
        if (inode.References > 0)
        {
            if (inode.Type != ObjectType.Directory || inode.Parent < 0)
                return;
            _inodes[inode.Parent].Subdirectories++;
            ulong parent = _inodes[inode.Parent].Number;
            if (inode.NominalParent != parent)
                plan.Add(new RepairStep(RepairKind.SetParent, CheckCodes.DirectoryParent, new Place(pfs, inode.Number), parent));
            return;
        }

        bool cut = (inode.Mark & Cut) != 0;
        if (pfs.HasLostNames && !cut)
            return;
        var place = new Place(pfs, inode.Number);
        bool deleted = inode.LinkCount == 0 && (inode.Mark & HasEntries) == 0;
        if (deleted)
        {
            plan.Add(new RepairStep(RepairKind.RemoveInode, CheckCodes.OrphanUnlinked, place));
            inode.Mark |= Deleted;
            return;
        }

        inode.References = 1;
        CheckCode code = cut ? CheckCodes.DirectoryCycle : inode.LinkCount == 0 ? CheckCodes.OrphanUnlinked : CheckCodes.Orphan;
        plan.Add(new RepairStep(RepairKind.Rescue, code, place, (ulong)inode.Type));
    }

    private void DecideLinks(int index)
    {
        ref InodeRecord inode = ref _inodes[index];
        if (inode.References == 0 && inode.Number != FormatLimits.RootInodeNumber || (inode.Mark & Deleted) != 0)
            return;
        var place = new Place(pfs, inode.Number);
        if (inode.Type == ObjectType.Directory)
        {
            // 1 is what DragonFly leaves in every directory.
            if (inode.LinkCount != 1 && inode.LinkCount != 2 + inode.Subdirectories && !pfs.HasLostNames)
                plan.Add(new RepairStep(RepairKind.SetLinks, CheckCodes.DirectoryLinks, place, 1));
        }
        else if (inode.References > inode.LinkCount || inode.References < inode.LinkCount && !pfs.HasLostNames)
        {
            plan.Add(new RepairStep(RepairKind.SetLinks, CheckCodes.Links, place, inode.References));
        }
    }

    private void Remove(CheckCode code, ulong directory, ulong key) =>
        plan.Add(new RepairStep(RepairKind.RemoveEntry, code, new Place(pfs, directory, key)));
}
