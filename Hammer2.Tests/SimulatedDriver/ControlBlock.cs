// What the driver keeps for a name that is open: one block for all handles whose names are equal without regard to case.
// Invariants: the spelling is that of the first opener, or of the last rename, and lives as long as the block; access to a
// block is guarded by the lock of the driver, its mapped pages by their own. Calls nothing.

using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>The driver's file control block.</summary>
internal sealed class ControlBlock(string name)
{
    private readonly List<(SimulatedHandle Handle, FileAccess Access, FileShare Share)> _shares = [];

    /// <summary>The spelling of the first opener.</summary>
    internal string Name { get; set; } = name;

    /// <summary>Opens that were not closed, those under way included.</summary>
    internal int OpenCount { get; set; }

    /// <summary>Opens that succeeded and were not cleaned up.</summary>
    internal int UncleanCount { get; set; }

    /// <summary>Is the file to be deleted when its last handle goes? Stays until the last open is closed, so that nobody comes in
    /// meanwhile.</summary>
    internal bool DeletePending { get; set; }

    /// <summary>Sections through which programs can write.</summary>
    internal int WritableSections { get; set; }

    /// <summary>Sections that are running programs.</summary>
    internal int ImageSections { get; set; }

    /// <summary>Length of the longest section; a mapped file cannot be cut below it.</summary>
    internal long MappedLength { get; set; }

    /// <summary>Pages that Windows keeps for mapped views.</summary>
    internal MappedPages Pages { get; } = new();

    /// <summary>Enters an open into the share table if it fits the others.</summary>
    internal bool TryShare(SimulatedHandle handle, FileAccess access, FileShare share)
    {
        (bool reads, bool writes, bool deletes) = Wants(access);
        if (WritableSections > 0 && (share & FileShare.Write) == 0 && (reads || writes || deletes))
            return false;
        foreach ((_, FileAccess otherAccess, FileShare otherShare) in _shares)
        {
            (bool otherReads, bool otherWrites, bool otherDeletes) = Wants(otherAccess);
            bool iUse = reads || writes || deletes;
            bool otherUses = otherReads || otherWrites || otherDeletes;
            if (iUse && (Lacks(reads, otherShare, FileShare.Read, otherUses) || Lacks(writes, otherShare, FileShare.Write, otherUses)
                || Lacks(deletes, otherShare, FileShare.Delete, otherUses)))
            {
                return false;
            }

            if (otherUses && iUse && (Lacks(otherReads, share, FileShare.Read, true) || Lacks(otherWrites, share, FileShare.Write, true)
                || Lacks(otherDeletes, share, FileShare.Delete, true)))
            {
                return false;
            }
        }

        _shares.Add((handle, access, share));
        return true;
    }

    /// <summary>Takes an open out of the share table.</summary>
    internal void Unshare(SimulatedHandle handle) => _shares.RemoveAll(entry => entry.Handle == handle);

    private static bool Lacks(bool wanted, FileShare share, FileShare kind, bool counts) =>
        wanted && counts && (share & kind) == 0;

    private static (bool Reads, bool Writes, bool Deletes) Wants(FileAccess access) => (
        (access & (FileAccess.ReadData | FileAccess.Execute)) != 0,
        (access & (FileAccess.WriteData | FileAccess.AppendData)) != 0,
        (access & FileAccess.Delete) != 0);
}
