// Renaming as I/O manager, driver and library do it together (dokan-semantics A.1 "Open-target-directory", A.12, B.6).
// Part of the simulated driver: the parent of the target is opened in two legs, then MoveFile is asked, then the control
// block gets the new name. Blocks of files below a renamed directory keep their old names, as in the driver.

using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    /// <summary>A rename as programs ask for it: with the legs.</summary>
    internal NtStatus MoveFile(SimulatedHandle handle, string target, bool replace)
    {
        // The I/O manager compares the devices before anybody is asked.
        if (target.Length > 1 && target[1] == ':')
            return NtStatus.NotSameDevice;
        target = Normalize(target);
        NtStatus status = OpenTargetDirectory(handle, target, out SimulatedHandle? parent);
        if (parent is null)
            return status;
        status = Rename(handle, target, replace);
        CloseHandle(parent);
        return status;
    }

    /// <summary>The rename alone, without the legs.</summary>
    internal NtStatus Rename(SimulatedHandle handle, string target, bool replace)
    {
        if (RefusesChanges)
            return Statuses.MediaWriteProtected;
        foreach (ControlBlock block in BlocksAtOrBelow(handle.Block.Name))
            FlushPages(block);
        string before = handle.Block.Name;
        NtStatus status = Change(nameof(IDokanOperations2.MoveFile), handle, default, (GuardedMemory name, ref DokanFileInfo info) =>
        {
            using GuardedMemory to = GuardedMemory.OfText(target, Faults);
            return _adapter.MoveFile(name.Text, to.Text, replace, ref info);
        });
        if (status != NtStatus.Success)
            return status;
        lock (_gate)
        {
            ControlBlock block = handle.Block;
            if (_blocks.TryGetValue(block.Name, out ControlBlock? known) && known == block)
                _blocks.Remove(block.Name);
            block.Name = target;
            if (_blocks.TryGetValue(target, out ControlBlock? other) && other != block)
                Interlocked.Increment(ref _overlaps);
            _blocks[target] = block;
        }

        if (_options.KeepsNotifications)
            Notify("renamed", $"{before} to {target}");
        return status;
    }

    private List<ControlBlock> BlocksAtOrBelow(string name)
    {
        lock (_gate)
        {
            return [.. _blocks.Values.Where(block => block.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase)
                && (block.Name.Length == name.Length || block.Name[name.Length] == '\\'))];
        }
    }

    /// <summary>The first leg opens the target itself and lets it go whatever came of it; the second opens its parent.</summary>
    private NtStatus OpenTargetDirectory(SimulatedHandle source, string target, out SimulatedHandle? parent)
    {
        parent = null;
        int cut = target.LastIndexOf('\\');
        string directory = cut <= 0 ? "\\" : target[..cut];
        FileAccess access = (source.IsDirectory ? FileAccess.AppendData : FileAccess.WriteData) | FileAccess.Synchronize;
        var request = new OpenRequest(directory, CreateDisposition.Open, access) { Share = FileShare.ReadWrite, Directory = true };
        NtStatus status = Enter(directory, request, CreateDisposition.Open, out SimulatedHandle handle);
        if (status != NtStatus.Success)
            return status;
        OpenOutcome outcome = OnPump(() =>
        {
            FirstLeg(target, access);
            return Create(handle, request, CreateDisposition.Open);
        });
        parent = outcome.Handle;
        if (parent is null)
            Leave(handle);
        return outcome.Status;
    }

    private void FirstLeg(string target, FileAccess access)
    {
        var leg = new SimulatedHandle(new ControlBlock(target));
        var request = new OpenRequest(target, CreateDisposition.Open, access) { Share = FileShare.ReadWrite };
        NtStatus status = CallCreate(leg, target, Fold(access), request, FileMode.Open, directory: false);
        if (status != NtStatus.Success)
        {
            if (leg.Context != 0)
                Faults.Add($"the first leg to {target} failed but left a context");
            return;
        }

        using GuardedMemory text = GuardedMemory.OfText(target, Faults);
        Invoke(nameof(IDokanOperations2.Cleanup), leg, default, (ref DokanFileInfo info) =>
        {
            _adapter.Cleanup(text.Text, ref info);
            return NtStatus.Success;
        });
        Invoke(nameof(IDokanOperations2.CloseFile), leg, default, (ref DokanFileInfo info) =>
        {
            _adapter.CloseFile(text.Text, ref info);
            return NtStatus.Success;
        });
        FreeContext(leg);
    }
}
