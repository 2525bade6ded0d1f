// Listings: the library's snapshot, its filter, and the dots (dokan-semantics A.8).
// Part of the simulated driver: the snapshot is taken once per handle, as the page says.

using System.Buffers;
using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    private static readonly SearchValues<char> s_noNameHas = SearchValues.Create([.. "\"*:<>?|/\\", .. Enumerable.Range(0, 32).Select(static c => (char)c)]);

    /// <summary>One directory query. The first one of a handle takes the snapshot and fixes the pattern.</summary>
    /// <returns>NoSuchFile when the first query finds nothing, NoMoreFiles at the end.</returns>
    internal NtStatus QueryDirectory(
        SimulatedHandle handle, string? pattern, bool restart, int entriesMax, out List<FindFileInformation> entries)
    {
        (NtStatus status, List<FindFileInformation> found) = OnPump(() =>
        {
            if (!Begin(handle))
                return (Gone, []);
            try
            {
                return QueryEvent(handle, pattern, restart, entriesMax);
            }
            finally
            {
                End(handle);
            }
        });
        entries = found;
        return status;
    }

    /// <summary>A whole listing, in as many queries as it takes.</summary>
    internal NtStatus List(SimulatedHandle handle, string? pattern, out List<FindFileInformation> entries)
    {
        entries = [];
        bool first = true;
        while (true)
        {
            NtStatus status = QueryDirectory(handle, pattern, restart: first, entriesMax: 97, out List<FindFileInformation> more);
            if (status == NtStatus.NoMoreFiles)
                return NtStatus.Success;
            if (status != NtStatus.Success)
                return status;
            entries.AddRange(more);
            first = false;
        }
    }

    private (
        NtStatus Status, List<FindFileInformation> Entries) QueryEvent(SimulatedHandle handle, string? pattern, bool restart,
        int entriesMax)
    {
        bool first = handle.Pattern is null;
        if (!handle.IsDirectory)
            return (NtStatus.InvalidParameter, []);
        handle.Pattern ??= string.IsNullOrEmpty(pattern) ? "*" : pattern;
        if (restart || handle.Listing is null)
        {
            NtStatus status = TakeSnapshot(handle);
            if (status != NtStatus.Success)
                return (status, []);
            handle.ListingPosition = 0;
        }

        List<FindFileInformation> listing = handle.Listing!;
        List<FindFileInformation> entries = listing.GetRange(
            handle.ListingPosition, Math.Min(entriesMax, listing.Count - handle.ListingPosition));
        handle.ListingPosition += entries.Count;
        if (entries.Count > 0)
            return (NtStatus.Success, entries);
        return (first ? NtStatus.NoSuchFile : NtStatus.NoMoreFiles, entries);
    }

    private NtStatus TakeSnapshot(SimulatedHandle handle)
    {
        string pattern = handle.Pattern!;
        List<FindFileInformation>? taken = null;
        NtStatus status = CallFind(handle, pattern, ref taken);
        if (status == NtStatus.NotImplemented)
        {
            status = CallFind(handle, null, ref taken);
            taken = taken?.FindAll(entry => NameExpression.Matches(pattern, entry.FileName.ToString()));
        }

        if (status != NtStatus.Success)
            return status;
        if (taken is null)
        {
            Faults.Add("a listing was null");
            taken = [];
        }

        bool root = handle.Block.Name == "\\";
        JudgeListing(handle.Block.Name, pattern, taken, root);
        if (pattern == "*" && !root)
            AddDots(taken);
        handle.Listing = taken;
        return NtStatus.Success;
    }

    /// <summary>Calls the adapter and walks the answer inside the same event; a throw there becomes the status.</summary>
    private NtStatus CallFind(SimulatedHandle handle, string? pattern, ref List<FindFileInformation>? taken)
    {
        using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
        using GuardedMemory search = GuardedMemory.OfText(pattern ?? "", Faults);
        List<FindFileInformation>? collected = null;
        string callback = pattern is null ? nameof(IDokanOperations2.FindFiles) : nameof(IDokanOperations2.FindFilesWithPattern);
        NtStatus status = Invoke(callback, handle, default, (ref DokanFileInfo info) =>
        {
            NtStatus answer = pattern is null
                ? _adapter.FindFiles(text.Text, out IEnumerable<FindFileInformation> files, ref info)
                : _adapter.FindFilesWithPattern(text.Text, search.Text, out files, ref info);
            if (files is null)
                Faults.Add($"{callback}: the list was null");
            else if (answer == NtStatus.Success)
                collected = [.. files];
            return answer;
        }, mayBeUnimplemented: pattern is not null);
        taken = collected;
        return status;
    }

    private static void AddDots(List<FindFileInformation> listing)
    {
        DateTime now = DateTime.UtcNow;
        foreach (string dots in new[] { "..", "." })
        {
            if (listing.Exists(entry => entry.FileName.Span.SequenceEqual(dots)))
                continue;
            listing.Insert(0, new FindFileInformation
            {
                FileName = dots.AsMemory(),
                Attributes = FileAttributes.Directory,
                CreationTime = now,
                LastAccessTime = now,
                LastWriteTime = now,
            });
        }
    }

    private void JudgeListing(string directory, string pattern, List<FindFileInformation> listing, bool root)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (FindFileInformation entry in listing)
        {
            string name = entry.FileName.ToString();
            if (!seen.Add(name))
                Faults.Add($"{directory}: '{name}' is listed twice");
            if (name is "." or "..")
            {
                if (root)
                    Faults.Add("the root lists dots");
                continue;
            }

            if (name.Length is 0 or > 255 || name.AsSpan().ContainsAny(s_noNameHas))
                Faults.Add($"{directory}: '{name}' is no Windows name");
            if (!NameExpression.Matches(pattern, name))
                Faults.Add($"{directory}: '{name}' does not match '{pattern}'");
            JudgeRecord(name, entry.Attributes, entry.Length, entry.CreationTime, entry.LastAccessTime, entry.LastWriteTime);
        }
    }
}
