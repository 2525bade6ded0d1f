// All opens of a mount, by handle and by object. By handle, so that Unmounted can release what got neither Cleanup nor
// CloseFile: handles that were open, and opens that the driver gave up while CreateFile still ran (dokan-semantics A.3,
// D.8). By object, for what the driver cannot see because it knows names only: sharing between several names of one inode,
// and a deletion that is pending under another name (D.1, D.5).
// Invariants: an open is in the table from its success in CreateFile until exactly one of CloseFile and Unmounted takes it
// out, and whoever takes it out disposes it. It counts for its object until Cleanup. Objects are spread over short locks by
// number; an open by a link takes two, in their order. Nothing is called under them but the folding of names.

using DokanNet;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Requests;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Opens;

/// <summary>A deletion that was agreed to.</summary>
/// <param name="Place">The name that goes.</param>
/// <param name="DriverName">What the driver called the file when it asked. All opens of a name share one block in the driver, and
/// so do now and then those of another file that had the name before; the deletion comes with the last of them.</param>
/// <param name="At">When it was agreed to, in the order of opens.</param>
internal sealed record AskedDeletion(NamePlace Place, string DriverName, long At);

/// <summary>The table of opens.</summary>
/// <param name="caseSensitive">Does the driver tell names apart by case?</param>
internal sealed class OpenTable(bool caseSensitive)
{
    private const int Parts = 32;

    /// <summary>Objects by inode number, and what guards them.</summary>
    private sealed class Part
    {
        internal Lock Gate { get; } = new();

        internal Dictionary<ulong, OpenObject> Objects { get; } = [];

        /// <summary>Opens until CloseFile, in the part of what is opened.</summary>
        internal HashSet<OpenFile> Handles { get; } = new(ReferenceEqualityComparer.Instance);

        /// <summary>Objects that were marked when their last open here was cleaned up, and did not go: the driver has the mark in
        /// a block with opens of another object, an open that it let in before the mark is still to come, or it refused the
        /// deletion.</summary>
        internal Dictionary<ulong, AskedDeletion> StillAsked { get; } = [];

        internal OpenFile[] AllHandles()
        {
            lock (Gate)
                return [.. Handles];
        }

        internal OpenObject Of(ulong inodeNumber)
        {
            if (!Objects.TryGetValue(inodeNumber, out OpenObject? known))
                Objects.Add(inodeNumber, known = new OpenObject());
            return known;
        }

        internal void Leave(ulong inodeNumber, OpenFile open)
        {
            if (!Objects.TryGetValue(inodeNumber, out OpenObject? known))
                return;
            known.Opens.Remove(open);
            if (known.Opens.Count == 0 && known.Mark is { } asked)
                StillAsked[inodeNumber] = asked;
            Forget(inodeNumber, known);
        }

        internal void Forget(ulong inodeNumber, OpenObject known)
        {
            if (known.Opens.Count == 0)
                Objects.Remove(inodeNumber);
        }
    }

    private sealed class OpenObject
    {
        internal List<OpenFile> Opens { get; } = new(1);

        /// <summary>How it was marked for deletion; null when it is not.</summary>
        internal AskedDeletion? Mark { get; set; }
    }

    private long _order;
    private readonly Part[] _parts = [.. Enumerable.Range(0, Parts).Select(static _ => new Part())];

    /// <summary>Number of opens.</summary>
    internal int Count => All.Length;

    /// <summary>The opens of this moment.</summary>
    internal OpenFile[] All => [.. _parts.SelectMany(static part => part.AllHandles())];

    /// <summary>Enters an open, if the other opens of its object allow it.</summary>
    /// <returns>Success, DeletePending or SharingViolation.</returns>
    internal NtStatus Enter(OpenFile open)
    {
        (ulong namedInode, ulong dataInode) = (open.Named.InodeNumber, open.Vnode.InodeNumber);
        (Part namedPart, Part dataPart) = (PartOf(namedInode), PartOf(dataInode));
        bool inOrder = namedInode % Parts <= dataInode % Parts;
        lock ((inOrder ? namedPart : dataPart).Gate)
            lock ((inOrder ? dataPart : namedPart).Gate)
            {
                OpenObject named = namedPart.Of(namedInode);
                OpenObject data = dataPart.Of(dataInode);
                NtStatus status = IsMarkedElsewhere(open, named) || IsMarkedElsewhere(open, data) ? NtStatus.DeletePending
                    : Conflicts(open, data) ? NtStatus.SharingViolation
                    : NtStatus.Success;
                if (status == NtStatus.Success)
                {
                    open.Order = Interlocked.Increment(ref _order);
                    named.Opens.Add(open);
                    if (data != named)
                        data.Opens.Add(open);
                    dataPart.Handles.Add(open);
                }

                namedPart.Forget(namedInode, named);
                dataPart.Forget(dataInode, data);
                return status;
            }
    }

    /// <summary>The handles of an open are gone: it no longer counts for its object.</summary>
    /// <returns>False when it was cleaned up before.</returns>
    internal bool CleanUp(OpenFile open)
    {
        if (!open.CleanUp())
            return false;
        Leave(open.Named.InodeNumber, open);
        if (open.Link is not null)
            Leave(open.Vnode.InodeNumber, open);
        return true;
    }

    /// <summary>Takes an open out and releases it.</summary>
    /// <returns>False when it was released before.</returns>
    internal bool Release(OpenFile open)
    {
        Part part = PartOf(open.Vnode.InodeNumber);
        lock (part.Gate)
        {
            if (!part.Handles.Remove(open))
                return false;
        }

        CleanUp(open);
        open.Dispose();
        return true;
    }

    /// <summary>Marks the object of an open for deletion. It goes with the last open of the object.</summary>
    /// <param name="open">One of its opens.</param>
    /// <param name="driverName">What the driver calls it.</param>
    internal void Mark(OpenFile open, ReadOnlySpan<char> driverName) =>
        SetMark(open, new AskedDeletion(open.Place, driverName.ToString(), Interlocked.Increment(ref _order)));

    /// <summary>The object of an open is not marked any more: it is gone, or somebody thought better of it.</summary>
    internal void Unmark(OpenFile open) => SetMark(open, null);

    /// <summary>The object of an open, and with it a mark under its name, is known by another name now.</summary>
    internal void Renamed(OpenFile open, string path)
    {
        Part part = PartOf(open.Named.InodeNumber);
        lock (part.Gate)
        {
            if (part.Objects.TryGetValue(open.Named.InodeNumber, out OpenObject? known) && known.Mark is { } mark && IsSameName(mark.Place.Path, path))
                known.Mark = mark with { Place = open.Place, DriverName = IsSameName(mark.DriverName, path) ? open.Path : mark.DriverName };
        }
    }

    /// <summary>Did somebody ask for the deletion of the object, and did not think better of it?</summary>
    internal bool IsDeletionAsked(OpenFile open)
    {
        ulong inodeNumber = open.Named.InodeNumber;
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
        {
            return open.DeleteOnClose || part.StillAsked.ContainsKey(inodeNumber)
                || (part.Objects.TryGetValue(inodeNumber, out OpenObject? known) && known.Mark is not null);
        }
    }

    /// <summary>Takes the last deletion that was asked for under a name of the driver and has no open left to come with.</summary>
    internal bool TryTakeAsked(ReadOnlySpan<char> driverName, out ulong inodeNumber, out NamePlace? place)
    {
        (inodeNumber, place) = (0, null);
        string name = driverName.ToString();
        long last = 0;
        foreach (Part part in _parts)
        {
            lock (part.Gate)
            {
                foreach ((ulong inode, AskedDeletion asked) in part.StillAsked)
                {
                    if (asked.At > last && IsSameName(asked.DriverName, name))
                        (inodeNumber, place, last) = (inode, asked.Place, asked.At);
                }
            }
        }

        if (place is null)
            return false;
        Part its = PartOf(inodeNumber);
        lock (its.Gate)
            return its.StillAsked.Remove(inodeNumber);
    }

    /// <summary>Is the object marked for deletion?</summary>
    internal bool IsDeletePending(ulong inodeNumber)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            return part.Objects.TryGetValue(inodeNumber, out OpenObject? known) && known.Mark is { } mark && !IsRefuted(known, mark);
    }

    /// <summary>Is the object marked for deletion under another name than this one? Opens under the same name are the
    /// driver's to refuse, who knows better: it may have refused the deletion after it was agreed to here.</summary>
    internal bool IsDeletePending(ulong inodeNumber, string path)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            return part.Objects.TryGetValue(inodeNumber, out OpenObject? known) && IsMarkedElsewhere(path, known);
    }

    /// <summary>Does a handle on the object exist?</summary>
    internal bool IsOpen(ulong inodeNumber)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            return part.Objects.ContainsKey(inodeNumber);
    }

    /// <summary>The opens of an object that have handles.</summary>
    internal OpenFile[] OpensOf(ulong inodeNumber)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            return part.Objects.TryGetValue(inodeNumber, out OpenObject? known) ? [.. known.Opens] : [];
    }

    private void Leave(ulong inodeNumber, OpenFile open)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            part.Leave(inodeNumber, open);
    }

    private void SetMark(OpenFile open, AskedDeletion? mark)
    {
        Part part = PartOf(open.Named.InodeNumber);
        lock (part.Gate)
        {
            part.StillAsked.Remove(open.Named.InodeNumber);
            if (part.Objects.TryGetValue(open.Named.InodeNumber, out OpenObject? known))
                known.Mark = mark;
        }
    }

    private Part PartOf(ulong inodeNumber) => _parts[inodeNumber % Parts];

    /// <summary>The standard check, against opens under other names only: those under the same one are the driver's, which
    /// drops them a little later than this table does.</summary>
    private bool Conflicts(OpenFile open, OpenObject known)
    {
        if (!Counts(open.Access))
            return false;
        foreach (OpenFile other in known.Opens)
        {
            if (Counts(other.Access) && (Excludes(open.Access, other.Share) || Excludes(other.Access, open.Share)) && !IsSameName(open.Path, other.Path))
                return true;
        }

        return false;
    }

    /// <summary>Opens with only attribute or security rights conflict with nothing.</summary>
    private static bool Counts(FileAccess access) =>
        AccessMask.WantsDataRead(access) || AccessMask.WantsDataWrite(access) || AccessMask.WantsDelete(access);

    private static bool Excludes(FileAccess access, FileShare share) =>
        (AccessMask.WantsDataRead(access) && (share & FileShare.Read) == 0)
        || (AccessMask.WantsDataWrite(access) && (share & FileShare.Write) == 0)
        || (AccessMask.WantsDelete(access) && (share & FileShare.Delete) == 0);

    private bool IsMarkedElsewhere(OpenFile open, OpenObject known) => IsMarkedElsewhere(open.Path, known);

    private bool IsMarkedElsewhere(string path, OpenObject known) =>
        known.Mark is { } mark && !IsSameName(path, mark.Place.Path) && !IsRefuted(known, mark);

    /// <summary>The driver may refuse a deletion that was agreed to here, as that of a running program, and says nothing. It
    /// shows when the driver lets somebody open the same name again.</summary>
    private bool IsRefuted(OpenObject known, AskedDeletion mark)
    {
        foreach (OpenFile open in known.Opens)
        {
            if (open.Order > mark.At && IsSameName(open.Path, mark.Place.Path))
                return true;
        }

        return false;
    }

    private bool IsSameName(string left, string right) =>
        caseSensitive ? string.Equals(left, right, StringComparison.Ordinal) : FoldTable.Same(left, right);
}
