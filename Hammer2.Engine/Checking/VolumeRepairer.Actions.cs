// How a repair keeps account of what it did: the first actions of each kind, and how many there were. And the devices that it
// lends to the engine, which would close them.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

public sealed partial class VolumeRepairer
{
    private sealed class ActionList(int perCodeMax)
    {
        private const string NoHelp = "It was tried, and did not help.";
        private const string NotWritten = "It was not written.";
        private readonly List<RepairAction> _kept = [];
        private readonly Dictionary<CheckCode, int> _counts = [];

        // Everything that was tried, with its place among the kept actions, or -1; null when it had failed already.
        private readonly Dictionary<StepId, int?> _tried = [];
        private int _roundKept;
        private long _roundDone;
        private bool _failed;

        internal long Done { get; private set; }

        internal long Left { get; private set; }

        internal IReadOnlyList<RepairAction> ToList() => [.. _kept];

        internal void BeginRound() => (_roundKept, _roundDone) = (_kept.Count, Done);

        /// <summary>What was done since the round began did not reach the medium.</summary>
        internal void FailRound()
        {
            _failed = true;
            (Left, Done) = (Left + Done - _roundDone, _roundDone);
            for (int i = _roundKept; i < _kept.Count; i++)
                _kept[i] = _kept[i] with { Problem = _kept[i].Problem ?? NotWritten };
        }

        /// <summary>True when this was tried in an earlier round: then it did not help.</summary>
        internal bool WasTried(RepairStep step) => WasTried(StepId.Of(step));

        internal bool WasTried(CheckCode code) => WasTried(StepId.Of(code));

        internal bool WasTried(VolumeHeaderCopy copy) => WasTried(StepId.Of(copy));

        internal void Add(RepairStep step, string? problem) =>
            Add(StepId.Of(step), new RepairAction(step.Code, step.Place.Pfs!.Label, step.Place.Inode, step.Path, Describe(step), problem));

        /// <summary>A finding of the header or the freemap.</summary>
        /// <param name="code">Its kind.</param>
        /// <param name="count">How many there are.</param>
        /// <param name="sound">All blocks of the trees can be read.</param>
        /// <param name="begun">Something was done.</param>
        internal void Add(CheckCode code, long count, bool sound = true, bool begun = true)
        {
            bool header = code.Name.StartsWith("header-", StringComparison.Ordinal) || code == CheckCodes.SlotNotZero;
            string what = code == CheckCodes.FreemapFreeCount ? "Free blocks counted."
                : header ? "Header fields set."
                : sound ? $"Freemap built anew from what is in use ({count} findings)."
                : $"Blocks in use marked in the freemap ({count} findings), none freed: parts of the trees cannot be read.";
            Add(StepId.Of(code), new RepairAction(code, null, 0, null, what, begun || header ? null : "While parts of the trees cannot be read nobody knows what is free."));
        }

        internal void Add(VolumeHeaderCopy copy)
        {
            CheckCode code = copy.Fault == HeaderFault.ForeignFilesystem ? CheckCodes.HeaderForeign : CheckCodes.HeaderDamaged;
            Add(StepId.Of(copy), new RepairAction(code, null, 0, null, $"Header copy {copy.Index} overwritten by a commit.", null));
        }

        private bool WasTried(StepId id)
        {
            if (!_tried.TryGetValue(id, out int? kept))
                return false;
            if (kept is int index && !_failed)
            {
                Done--;
                Left++;
                if (index >= 0)
                    _kept[index] = _kept[index] with { Problem = NoHelp };
                _tried[id] = null;
            }

            return true;
        }

        private void Add(StepId id, RepairAction action)
        {
            Done += action.Problem is null ? 1 : 0;
            Left += action.Problem is null ? 0 : 1;
            _counts[action.Code] = _counts.GetValueOrDefault(action.Code) + 1;
            bool keeps = _counts[action.Code] <= perCodeMax;
            _tried[id] = action.Problem is not null ? null : keeps ? _kept.Count : -1;
            if (keeps)
                _kept.Add(action);
        }

        private static string Describe(RepairStep step) => step.Kind switch
        {
            RepairKind.RaiseNextInode => $"Next inode number set to {step.Value}.",
            RepairKind.RemoveEntry => "Name removed.",
            RepairKind.RetypeEntry => $"Type of the entry set to {MethodNames.Of((ObjectType)step.Value)}.",
            RepairKind.RenameEntry => "Name moved to where it can be opened.",
            RepairKind.SetLinks => $"Link count set to {step.Value}.",
            RepairKind.SetParent => $"Parent set to inode {step.Value}.",
            RepairKind.RewriteInode => "Inode written anew.",
            RepairKind.Rescue => $"Named lost+found/#{step.Place.Inode}.",
            RepairKind.RemoveInode => "Removed: it was deleted before a crash.",
            RepairKind.CleanLeaf => "Reference cleaned.",
            _ => "Indirect block written anew.",
        };
    }

    /// <summary>What makes two steps of different rounds the same.</summary>
    private readonly record struct StepId(CheckCode? Code, RepairKind Kind, ulong Root, ulong Inode, ulong Entry, ulong Value, int KeyBits)
    {
        internal static StepId Of(RepairStep s) =>
            new(s.Code, s.Kind, s.Place.Pfs!.Ref.Key, s.Place.Inode, s.Place.EntryKey, s.Value, s.KeyBits);

        internal static StepId Of(CheckCode code) => new(code, default, 0, 0, 0, 0, 0);

        internal static StepId Of(VolumeHeaderCopy copy) => new(null, default, 0, 0, 0, (ulong)copy.Index, 0);
    }

    /// <summary>Progress of a check that follows others.</summary>
    private sealed class Continued(IProgress<CheckProgress> below, long bytes) : IProgress<CheckProgress>
    {
        public void Report(CheckProgress value) => below.Report(value with { Bytes = value.Bytes + bytes });
    }

    /// <summary>A device that stays open when its borrower is done.</summary>
    private sealed class BorrowedDevice(IBlockDevice below) : IBlockDevice
    {
        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

        public void Flush() => below.Flush();

        public void Dispose()
        {
            // The lender closes it.
        }
    }
}
