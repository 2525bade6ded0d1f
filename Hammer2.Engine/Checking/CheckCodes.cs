// All kinds of findings (format page 13.2), grouped as the checker's parts are. docs/fsck.md explains each of them, and
// a test damages an image for each of them: a new kind needs both.

namespace Hammer2.Engine.Checking;

/// <summary>The kinds of findings of <see cref="VolumeChecker"/>.</summary>
public static class CheckCodes
{
    private const string Restore = "Copy off what can be read and restore the rest from a backup.";
    private const string NoWrite = "Do not write to the volume before the freemap is rebuilt: a block in use could be given out again.";
    private const string Harmless = "Nothing needs to be done; a writer that sets it right is preferable.";
    private const string Commit = "The next commits overwrite the copy; no action is needed while another copy is valid.";
    private const string Bulkfree = "Run bulkfree when the space is wanted.";
    private const string Report = "The software that wrote it has a defect: report it, and copy the affected files while they read well.";
    private static readonly List<CheckCode> s_all = [];

    // Volume headers.
    internal static readonly CheckCode HeaderNoneValid = Error("header-none-valid", "Restore a header copy from a backup; nothing can be read without one.");
    internal static readonly CheckCode VolumeUnusable = Error("volume-unusable", "Check that all volumes are given and that the image is complete.");
    internal static readonly CheckCode HeaderDamaged = Warning("header-damaged", Commit);
    internal static readonly CheckCode HeaderUnreadable = Warning("header-unreadable", "Check the device; a header that cannot be written ends the next commit.");
    internal static readonly CheckCode HeaderForeign = Warning("header-foreign", "It remains from an earlier filesystem; the next commits overwrite it.");
    internal static readonly CheckCode HeaderStale = Warning("header-stale", "It remains from an earlier, larger filesystem; clear it before the volume is grown.");
    internal static readonly CheckCode HeaderBlank = Information("header-blank", "The next commits write it.");
    internal static readonly CheckCode HeaderVersionFields = Error("header-version-fields", "Other implementations refuse to mount this volume.");
    internal static readonly CheckCode HeaderAreas = Error("header-areas", "The header does not describe this volume: do not write to it.");
    internal static readonly CheckCode HeaderTids = Error("header-tids", NoWrite);
    internal static readonly CheckCode HeaderSizes = Warning("header-sizes", "Only statistics are affected: free space is shown wrongly.");
    internal static readonly CheckCode HeaderGrowth = Warning("header-growth", "Open the volumes for writing once, by a mount for example: that finishes the growth. Other systems refuse them until then.");
    internal static readonly CheckCode HeaderReserved = Warning("header-reserved", Harmless);
    internal static readonly CheckCode HeaderFields = Warning("header-fields", Harmless);

    // Blockrefs and the blocks behind them.
    internal static readonly CheckCode RefType = Error("bref-type", Restore);
    internal static readonly CheckCode RefMethods = Error("bref-methods", Restore);
    internal static readonly CheckCode RefKeyBits = Error("bref-keybits", Restore);
    internal static readonly CheckCode RefKeyAlignment = Error("bref-key-alignment", Restore);
    internal static readonly CheckCode RefKeyOrder = Error("bref-key-order", Restore);
    internal static readonly CheckCode RefKeyRange = Error("bref-key-range", Restore);
    internal static readonly CheckCode RefUnused = Warning("bref-unused", Harmless);
    internal static readonly CheckCode RefFlags = Warning("bref-flags", Harmless);
    internal static readonly CheckCode RefEmergency = Warning("bref-emergency", "The block was modified in place: compare snapshots that share it with a backup.");
    internal static readonly CheckCode SlotNotZero = Warning("slot-not-zero", Harmless);
    internal static readonly CheckCode AddressIllegal = Error("address-illegal", Restore);
    internal static readonly CheckCode AddressOutside = Error("address-outside", Restore);
    internal static readonly CheckCode AddressReserved = Error("address-reserved", Report);
    internal static readonly CheckCode AddressUnaligned = Warning("address-unaligned", Report);
    internal static readonly CheckCode MirrorTidOrder = Error("mirror-tid-order", Report);
    internal static readonly CheckCode BlockUnreadable = Error("block-unreadable", "Check the device. " + Restore);
    internal static readonly CheckCode CheckMismatch = Error("check-mismatch", Restore);
    internal static readonly CheckCode BlockOverlap = Error("block-overlap", "One of the two owners is overwritten: compare both with a backup.");
    internal static readonly CheckCode BlockTypeClash = Error("block-type-clash", "One of the two owners is overwritten: compare both with a backup.");
    internal static readonly CheckCode MetadataTwice = Error("metadata-twice", Report);
    internal static readonly CheckCode TreeDepth = Error("tree-depth", Restore);
    internal static readonly CheckCode StatsData = Warning("stats-data-count", Harmless);
    internal static readonly CheckCode StatsInodes = Warning("stats-inode-count", Harmless);
    internal static readonly CheckCode StatsLeaves = Warning("stats-leaf-count", Harmless);
    internal static readonly CheckCode DataKey = Error("data-key", Restore);
    internal static readonly CheckCode DataBeyondEnd = Error("data-beyond-end", "Old bytes would reappear when the file grows: copy the file and delete this one.");
    internal static readonly CheckCode DataStream = Error("data-stream", Restore);
    internal static readonly CheckCode DataTail = Warning("data-tail", "Old bytes would reappear when the file grows: copy the file and delete this one.");
    internal static readonly CheckCode DataPadding = Warning("data-padding", Harmless);

    // Inodes.
    internal static readonly CheckCode InodeVersion = Error("inode-version", Restore);
    internal static readonly CheckCode InodeType = Error("inode-type", Restore);
    internal static readonly CheckCode InodeNumber = Error("inode-number", Restore);
    internal static readonly CheckCode InodeNumberRange = Error("inode-number-range", Report);
    internal static readonly CheckCode InodeNumberNext = Error("inode-number-next", "A new file could get the number of an existing one: do not write to this PFS.");
    internal static readonly CheckCode InodeNameKey = Warning("inode-name-key", Harmless);
    internal static readonly CheckCode InodeName = Warning("inode-name", Harmless);
    internal static readonly CheckCode InodeNameLength = Error("inode-name-length", Restore);
    internal static readonly CheckCode InodeDirectData = Error("inode-direct-data", Restore);
    internal static readonly CheckCode InodeDirectTail = Warning("inode-direct-tail", "Old bytes would reappear when the file grows: copy the file and delete this one.");
    internal static readonly CheckCode InodeSize = Error("inode-size", Restore);
    internal static readonly CheckCode InodeMode = Warning("inode-mode", "Set the permissions of the file anew.");
    internal static readonly CheckCode InodeMethods = Warning("inode-methods", "Set the compression and check method of the file anew.");
    internal static readonly CheckCode InodeReserved = Warning("inode-reserved", Harmless);
    internal static readonly CheckCode InodePfsFlag = Error("inode-pfs-flag", Report);
    internal static readonly CheckCode InodeOldLayout = Information("inode-old-layout", "The volume was written by a very old version; it can be read.");
    internal static readonly CheckCode InodeDuplicate = Error("inode-duplicate", Report);

    // Super-root and PFS roots.
    internal static readonly CheckCode SuperRootMissing = Error("superroot-missing", "Check an older header copy with --header; no PFS can be found from this one.");
    internal static readonly CheckCode SuperRootFields = Warning("superroot-fields", Harmless);
    internal static readonly CheckCode PfsRoot = Error("pfs-root", Restore);
    internal static readonly CheckCode PfsFlag = Warning("pfs-flag", "A writing mount sets the flag.");
    internal static readonly CheckCode PfsLabel = Error("pfs-label", "The PFS cannot be found by its label: copy it off with another header copy, or report it.");
    internal static readonly CheckCode PfsDuplicateLabel = Error("pfs-duplicate-label", "Delete or rename one of the two PFSs.");
    internal static readonly CheckCode PfsType = Warning("pfs-type", Harmless);
    internal static readonly CheckCode PfsDuplicateId = Warning("pfs-duplicate-id", "Other implementations take the two for copies of one filesystem: mount only one of them.");

    // Names.
    internal static readonly CheckCode DirentName = Error("dirent-name", "Rename the entry if it can be reached, else restore the directory from a backup.");
    internal static readonly CheckCode DirentNameLength = Error("dirent-name-length", Restore);
    internal static readonly CheckCode DirentHash = Error("dirent-hash", "The name is listed but cannot be opened: copy the file by its inode, or restore it.");
    internal static readonly CheckCode DirentDuplicate = Error("dirent-duplicate", "Only one of the entries can be opened: remove the name until it is gone.");
    internal static readonly CheckCode DirentDangling = Error("dirent-dangling", "Remove the name; the file behind it does not exist any more.");
    internal static readonly CheckCode DirentType = Error("dirent-type", "Copy the file under another name and remove this one.");
    internal static readonly CheckCode DirentRoot = Error("dirent-root", "Remove the name: a directory leads back to the root.");
    internal static readonly CheckCode DirectoryTwice = Error("directory-twice", "Remove one of the names without deleting what is in the directory.");
    internal static readonly CheckCode DirectoryParent = Error("directory-parent", "'..' leads to another directory: rename the directory away and back.");
    internal static readonly CheckCode DirectoryCycle = Error("directory-cycle", "The directories cannot be reached from the root: restore them from a backup.");
    internal static readonly CheckCode DirectoryLinks = Warning("directory-nlinks", Harmless);
    internal static readonly CheckCode Links = Error("nlinks", "Copy the file: it would be deleted while names are left, or never.");
    internal static readonly CheckCode LinksUncertain = Warning("nlinks-uncertain", "Names are unreadable; judge again when the directory is restored.");
    internal static readonly CheckCode Orphan = Warning("orphan", "It has no name: it remains from a crash or a lost directory and holds space.");
    internal static readonly CheckCode OrphanUnlinked = Warning("orphan-unlinked", "It was deleted while open and remains from a crash; it holds space.");

    // Freemap.
    internal static readonly CheckCode FreemapAddress = Error("freemap-address", NoWrite);
    internal static readonly CheckCode FreemapLevel = Error("freemap-level", NoWrite);
    internal static readonly CheckCode FreemapUsedButFree = Error("freemap-used-but-free", NoWrite);
    internal static readonly CheckCode FreemapPendingRecovery = Warning("freemap-pending-recovery", "The next writing mount marks the blocks.");
    internal static readonly CheckCode FreemapUsedButStaged = Warning("freemap-used-but-staged", "The next bulkfree sets it right.");
    internal static readonly CheckCode FreemapReservedState = Error("freemap-reserved-state", NoWrite);
    internal static readonly CheckCode FreemapStatic = Error("freemap-static", NoWrite);
    internal static readonly CheckCode FreemapLinear = Error("freemap-linear", NoWrite);
    internal static readonly CheckCode FreemapLinearRange = Warning("freemap-linear-range", Harmless);
    internal static readonly CheckCode FreemapAvail = Warning("freemap-avail", Harmless);
    internal static readonly CheckCode FreemapClass = Warning("freemap-class", Harmless);
    internal static readonly CheckCode FreemapBigMask = Warning("freemap-bigmask", "Space is passed over until bulkfree changes this zone.");
    internal static readonly CheckCode FreemapUnused = Warning("freemap-unused", Harmless);
    internal static readonly CheckCode FreemapFreeCount = Warning("freemap-free-count", "Only statistics are affected: free space is shown wrongly.");
    internal static readonly CheckCode FreemapLeaked = Information("freemap-leaked", Bulkfree);
    internal static readonly CheckCode FreemapStaged = Information("freemap-staged", Bulkfree);

    /// <summary>All kinds, in the order of this file.</summary>
    public static IReadOnlyList<CheckCode> All => s_all;

    private static CheckCode Error(string name, string advice) => New(name, CheckSeverity.Error, advice);

    private static CheckCode Warning(string name, string advice) => New(name, CheckSeverity.Warning, advice);

    private static CheckCode Information(string name, string advice) => New(name, CheckSeverity.Information, advice);

    private static CheckCode New(string name, CheckSeverity severity, string advice)
    {
        var code = new CheckCode(s_all.Count, name, severity, advice);
        s_all.Add(code);
        return code;
    }
}
