// Opening: what the driver refuses by itself, what the library makes of the adapter's answer (dokan-semantics A.1).
// Part of the simulated driver: it behaves as the page says, not as the adapter would like it.

using System.Runtime.InteropServices;
using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>NT create dispositions.</summary>
internal enum CreateDisposition
{
    Supersede,
    Open,
    Create,
    OpenIf,
    Overwrite,
    OverwriteIf,
}

/// <summary>What a program is told beside the status.</summary>
internal enum CreateInformation
{
    None,
    Superseded,
    Opened,
    Created,
    Overwritten,
    Exists,
    DoesNotExist,
}

/// <summary>One open as a program asks for it, with native rights.</summary>
internal sealed record OpenRequest(string Name, CreateDisposition Disposition, FileAccess Access)
{
    internal FileShare Share { get; init; } = FileShare.ReadWrite | FileShare.Delete;

    internal FileOptions Options { get; init; }

    internal FileAttributes Attributes { get; init; } = FileAttributes.Normal;

    /// <summary>"Must be a directory".</summary>
    internal bool Directory { get; init; }

    /// <summary>The driver gives up while CreateFile runs: whatever it answers, no Cleanup and no CloseFile follow.</summary>
    internal bool Abandon { get; init; }
}

/// <summary>The outcome of an open.</summary>
internal sealed record OpenOutcome(NtStatus Status, CreateInformation Information, SimulatedHandle? Handle, NtStatus AdapterStatus);

internal sealed partial class SimulatedDriver
{
    /// <summary>Opens or creates.</summary>
    internal OpenOutcome Open(OpenRequest request)
    {
        if (_unmounting)
            return Refused(NtStatus.NoSuchDevice);
        string name = Normalize(request.Name);
        if (name.Contains(':'))
            return Refused(NtStatus.InvalidParameter);
        CreateDisposition disposition = request.Disposition;
        bool notFoundIsProtected = false;
        if (_options is { WriteProtected: true, BypassWriteProtection: false })
        {
            if ((request.Options & FileOptions.DeleteOnClose) != 0
                || disposition is not (CreateDisposition.Open or CreateDisposition.OpenIf))
            {
                return Refused(Statuses.MediaWriteProtected);
            }

            notFoundIsProtected = disposition == CreateDisposition.OpenIf;
            disposition = CreateDisposition.Open;
        }

        NtStatus refusal = Enter(name, request, disposition, out SimulatedHandle handle);
        if (refusal != NtStatus.Success)
            return Refused(refusal);
        OpenOutcome outcome = OnPump(() => Create(handle, request, disposition));
        if (outcome.Handle is null)
            Leave(handle);
        else if (outcome.Information == CreateInformation.Created)
            Notify("added", handle.Block.Name);
        return notFoundIsProtected && outcome.Status == NtStatus.ObjectNameNotFound
            ? outcome with { Status = Statuses.MediaWriteProtected }
            : outcome;
    }

    /// <summary>Folds complete sets of rights into generic bits, as DokanNet hands them over.</summary>
    internal static FileAccess Fold(FileAccess access)
    {
        const FileAccess Read = (FileAccess)0x120089;
        const FileAccess Write = (FileAccess)0x120116;
        const FileAccess Execute = (FileAccess)0x1200A0;
        const FileAccess All = (FileAccess)0x1F01FF;
        FileAccess folded = access;
        foreach ((FileAccess set, FileAccess generic) in new[]
        {
            (Read, FileAccess.GenericRead), (Write, FileAccess.GenericWrite), (Execute, FileAccess.GenericExecute), (All, FileAccess.GenericAll),
        })
        {
            if ((access & set) == set)
                folded = (folded & ~set) | generic;
        }

        return folded;
    }

    private static OpenOutcome Refused(NtStatus status) => new(status, CreateInformation.None, null, NtStatus.Success);

    private static string Normalize(string name)
    {
        if (name.StartsWith("\\\\", StringComparison.Ordinal))
            name = name[1..];
        return name.Length > 1 && name.EndsWith('\\') ? name[..^1] : name;
    }

    /// <summary>The checks against living handles of the same name, without asking the adapter.</summary>
    private NtStatus Enter(string name, OpenRequest request, CreateDisposition disposition, out SimulatedHandle handle)
    {
        lock (_gate)
        {
            if (!_blocks.TryGetValue(name, out ControlBlock? block))
                block = new ControlBlock(name);
            handle = new SimulatedHandle(block) { DeleteOnClose = (request.Options & FileOptions.DeleteOnClose) != 0 };
            if (block.UncleanCount > 0 && disposition == CreateDisposition.Create)
                return NtStatus.ObjectNameCollision;
            if (block.OpenCount > 0 && block.DeletePending)
                return NtStatus.DeletePending;
            if (!block.TryShare(handle, request.Access, request.Share))
                return NtStatus.SharingViolation;
            _blocks[name] = block;
            block.OpenCount++;
        }

        _handles[handle] = 0;
        return NtStatus.Success;
    }

    private OpenOutcome Create(SimulatedHandle handle, OpenRequest request, CreateDisposition disposition)
    {
        FileMode mode = disposition switch
        {
            CreateDisposition.Open => FileMode.Open,
            CreateDisposition.Create => FileMode.CreateNew,
            CreateDisposition.OpenIf => FileMode.OpenOrCreate,
            CreateDisposition.Overwrite => FileMode.Truncate,
            _ => FileMode.Create,
        };
        NtStatus? injected = InjectCreate?.Invoke(request);
        NtStatus answer = injected ?? CallCreate(handle, handle.Block.Name, Fold(request.Access), request, mode, request.Directory);
        if (request.Abandon && answer is NtStatus.Success)
        {
            // The library drops the reply; nobody will ever visit this context again.
            handle.Context = 0;
            return new OpenOutcome((NtStatus)0xC000009A, CreateInformation.None, null, answer);
        }

        OpenOutcome outcome = Judge(handle, mode, answer);
        if (answer == NtStatus.AccessDenied && (request.Access & FileAccess.Delete) != 0)
            outcome = RetryOnParent(handle, request, mode, isFault: injected is null);
        if (outcome.Handle is null && handle.Context != 0)
        {
            Faults.Add($"CreateFile of {request.Name} failed with {(long)answer:X8} but left a context");
            FreeContext(handle);
        }

        if (outcome.Handle is not null && handle.Context == 0)
            Faults.Add($"CreateFile of {request.Name} succeeded without a context");
        if (outcome.Handle is not null)
        {
            // Only now: an open that is under way keeps nothing from being deleted.
            lock (_gate)
                handle.Block.UncleanCount++;
        }

        return outcome;
    }

    private NtStatus CallCreate(
        SimulatedHandle handle, string name, FileAccess access, OpenRequest request, FileMode mode, bool directory)
    {
        using GuardedMemory text = GuardedMemory.OfText(name, Faults);
        var raw = new RawFileInfo { IsDirectory = directory ? (byte)1 : (byte)0 };
        return Invoke(nameof(IDokanOperations2.CreateFile), null, raw, (ref DokanFileInfo info) =>
        {
            NtStatus status = _adapter.CreateFile(
                text.Text, access, request.Share, mode, request.Options, request.Attributes, ref info);
            ref RawFileInfo after = ref System.Runtime.CompilerServices.Unsafe.As<DokanFileInfo, RawFileInfo>(ref info);
            handle.Context = after.Context;
            handle.IsDirectory = after.IsDirectory != 0;
            after.Context = 0;
            return status;
        });
    }

    /// <summary>The table of A.1.</summary>
    private static OpenOutcome Judge(SimulatedHandle handle, FileMode mode, NtStatus answer) => (answer, mode) switch
    {
        (NtStatus.Success, FileMode.Open) => new OpenOutcome(NtStatus.Success, CreateInformation.Opened, handle, answer),
        (NtStatus.Success, FileMode.Truncate) => new OpenOutcome(NtStatus.Success, CreateInformation.Overwritten, handle, answer),
        (NtStatus.Success, _) => new OpenOutcome(NtStatus.Success, CreateInformation.Created, handle, answer),
        (NtStatus.ObjectNameCollision, FileMode.OpenOrCreate) => new OpenOutcome(NtStatus.Success, CreateInformation.Opened, handle, answer),
        (NtStatus.ObjectNameCollision, FileMode.Create) => new OpenOutcome(NtStatus.Success, CreateInformation.Overwritten, handle, answer),
        (NtStatus.ObjectNameCollision, _) => new OpenOutcome(answer, CreateInformation.Exists, null, answer),
        _ => new OpenOutcome(answer, CreateInformation.DoesNotExist, null, answer),
    };

    /// <summary>The library's second attempt: it opens the parent and calls that the file. An adapter must not get here.</summary>
    private OpenOutcome RetryOnParent(SimulatedHandle handle, OpenRequest request, FileMode mode, bool isFault)
    {
        if (isFault)
            Faults.Add($"CreateFile of {request.Name}: AccessDenied to a request for Delete makes the library open the parent");
        int cut = handle.Block.Name.LastIndexOf('\\');
        string parent = cut <= 0 ? "\\" : handle.Block.Name[..cut];
        NtStatus answer = CallCreate(
            handle, parent, FileAccess.DeleteChild | FileAccess.ReadData, request, mode, directory: true);
        return answer == NtStatus.Success
            ? new OpenOutcome(NtStatus.Success, CreateInformation.Opened, handle, NtStatus.AccessDenied)
            : new OpenOutcome(NtStatus.AccessDenied, CreateInformation.DoesNotExist, null, NtStatus.AccessDenied);
    }

    /// <summary>Undoes Enter after a failed open.</summary>
    private void Leave(SimulatedHandle handle)
    {
        lock (_gate)
        {
            handle.Block.Unshare(handle);
            CloseBlock(handle.Block);
        }

        handle.Closed = true;
        _handles.TryRemove(handle, out _);
    }

    private void CloseBlock(ControlBlock block)
    {
        if (--block.OpenCount > 0)
            return;
        block.DeletePending = false;

        // The driver collects its blocks a while later and uses them again until then, spelling included.
        if (!_options.KeepsBlocks && _blocks.TryGetValue(block.Name, out ControlBlock? known) && known == block)
            _blocks.Remove(block.Name);
    }
}
