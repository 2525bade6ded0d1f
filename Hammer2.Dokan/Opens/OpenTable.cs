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

        /// <summary>Objects that were marked when their last open here was cleaned up, and did not go: an open that the driver
        /// let in before the mark is still to come, or the driver refused the deletion.</summary>
        internal HashSet<ulong> StillAsked { get; } = [];

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
            if (known.Opens.Count == 0 && known.MarkedPath is not null)
                StillAsked.Add(inodeNumber);
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

        /// <summary>The path under which it was marked for deletion; null when it is not.</summary>
        internal string? MarkedPath { get; set; }

        /// <summary>When it was marked, in the order of opens.</summary>
        internal long MarkedAt { get; set; }
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

    /// <summary>Marks the object of an open for deletion, or takes the mark back. It goes with the last open of the
    /// object.</summary>
    internal void SetDeletePending(OpenFile open, bool pending)
    {
        Part part = PartOf(open.Named.InodeNumber);
        lock (part.Gate)
        {
            part.StillAsked.Remove(open.Named.InodeNumber);
            if (part.Objects.TryGetValue(open.Named.InodeNumber, out OpenObject? known))
                (known.MarkedPath, known.MarkedAt) = (pending ? open.Path : null, Interlocked.Increment(ref _order));
        }
    }

    /// <summary>The object of an open, and with it a mark under its name, is known by another name now.</summary>
    internal void Renamed(OpenFile open, string path)
    {
        Part part = PartOf(open.Named.InodeNumber);
        lock (part.Gate)
        {
            if (part.Objects.TryGetValue(open.Named.InodeNumber, out OpenObject? known) && known.MarkedPath is { } marked && IsSameName(marked, path))
                known.MarkedPath = open.Path;
        }
    }

    /// <summary>Did somebody ask for the deletion of the object, and did not think better of it?</summary>
    internal bool IsDeletionAsked(OpenFile open)
    {
        ulong inodeNumber = open.Named.InodeNumber;
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
        {
            return open.DeleteOnClose || part.StillAsked.Contains(inodeNumber)
                || (part.Objects.TryGetValue(inodeNumber, out OpenObject? known) && known.MarkedPath is not null);
        }
    }

    /// <summary>Is the object marked for deletion?</summary>
    internal bool IsDeletePending(ulong inodeNumber)
    {
        Part part = PartOf(inodeNumber);
        lock (part.Gate)
            return part.Objects.TryGetValue(inodeNumber, out OpenObject? known) && known.MarkedPath is { } marked && !IsRefuted(known, marked);
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
        known.MarkedPath is { } marked && !IsSameName(path, marked) && !IsRefuted(known, marked);

    /// <summary>The driver may refuse a deletion that was agreed to here, as that of a running program, and says nothing. It
    /// shows when the driver lets somebody open the same name again.</summary>
    private bool IsRefuted(OpenObject known, string marked)
    {
        foreach (OpenFile open in known.Opens)
        {
            if (open.Order > known.MarkedAt && IsSameName(open.Path, marked))
                return true;
        }

        return false;
    }

    private bool IsSameName(string left, string right) =>
        caseSensitive ? string.Equals(left, right, StringComparison.Ordinal) : FoldTable.Same(left, right);
}
