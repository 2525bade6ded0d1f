// The status matrix of CreateFile as a pure function (dokan-semantics section C).
// Invariants: the mask is expanded; name syntax and parents were judged before; nothing is opened here. What depends on
// other opens (sharing, deletion that is pending) is judged by the table of objects. Calls AccessMask and Status.

using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Requests;

/// <summary>What a name stands for, as far as opening it is concerned.</summary>
internal enum TargetKind
{
    /// <summary>A directory.</summary>
    Directory,

    /// <summary>Data that can be read and, in principle, written.</summary>
    File,

    /// <summary>A symbolic link shown as a small text file.</summary>
    LinkText,

    /// <summary>A fifo, socket or device node: visible, never opened for data.</summary>
    Special,
}

/// <summary>One open request, already expanded.</summary>
/// <param name="Access">Expanded mask.</param>
/// <param name="Share">What others may do meanwhile.</param>
/// <param name="Mode">Disposition.</param>
/// <param name="Options">Options of the handle.</param>
/// <param name="Attributes">Attributes for a new or overwritten file.</param>
/// <param name="DirectoryRequired">Was a directory asked for?</param>
internal readonly record struct CreateRequest(
    FileAccess Access, FileShare Share, FileMode Mode, FileOptions Options, FileAttributes Attributes, bool DirectoryRequired)
{
    internal bool DeleteOnClose => (Options & FileOptions.DeleteOnClose) != 0;

    internal bool WriteThrough => (Options & FileOptions.WriteThrough) != 0;
}

/// <summary>What a name stands for: its kind, its Windows attributes, and the place it has.</summary>
internal readonly record struct CreateTarget(TargetKind Kind, FileAttributes Attributes, bool IsRoot)
{
    internal bool IsReadOnly => (Attributes & FileAttributes.ReadOnly) != 0;
}

/// <summary>What to do with a name that exists.</summary>
internal enum CreateAct
{
    /// <summary>Nothing: the status says why.</summary>
    Refuse,

    /// <summary>Open it.</summary>
    Open,

    /// <summary>Open it and empty it.</summary>
    Overwrite,
}

/// <summary>The verdict on a request: what to do, and the answer when that succeeds.</summary>
internal readonly record struct CreateVerdict(NtStatus Status, CreateAct Act);

/// <summary>The rules.</summary>
/// <param name="isWritable">Does the mount take changes?</param>
internal sealed class CreateRules(bool isWritable)
{
    private const FileAttributes Guarded = FileAttributes.Hidden | FileAttributes.System;

    /// <summary>The answer for a name that does not exist, whose parent does. Success: create it.</summary>
    internal NtStatus Missing(in CreateRequest request) => request.Mode switch
    {
        FileMode.Create or FileMode.Truncate when request.DirectoryRequired => NtStatus.InvalidParameter,
        FileMode.Open or FileMode.Truncate => NtStatus.ObjectNameNotFound,
        FileMode.CreateNew or FileMode.OpenOrCreate or FileMode.Create => Creating(request),
        _ => NtStatus.InvalidParameter,
    };

    /// <summary>The answer for a name that exists.</summary>
    internal CreateVerdict Existing(in CreateRequest request, in CreateTarget target)
    {
        switch (request.Mode)
        {
            case FileMode.CreateNew:
                return Refuse(NtStatus.ObjectNameCollision);
            case FileMode.Create or FileMode.Truncate:
                return Overwriting(request, target);
            case FileMode.Open or FileMode.OpenOrCreate:
                break;
            default:
                return Refuse(NtStatus.InvalidParameter);
        }

        NtStatus refusal = target.Kind == TargetKind.Directory
            ? OpeningDirectory(request, target)
            : OpeningFile(request, target);
        if (refusal != NtStatus.Success)
            return Refuse(refusal);

        // "Collision" is how an existing object is told apart from a created one; the program sees success.
        return new CreateVerdict(
            request.Mode == FileMode.Open ? NtStatus.Success : NtStatus.ObjectNameCollision, CreateAct.Open);
    }

    private NtStatus Creating(in CreateRequest request)
    {
        if (!isWritable)
            return Status.MediaWriteProtected;
        if (request.DirectoryRequired)
            return (request.Attributes & FileAttributes.Temporary) != 0 ? NtStatus.InvalidParameter : NtStatus.Success;
        return request.DeleteOnClose && (request.Attributes & FileAttributes.ReadOnly) != 0
            ? NtStatus.CannotDelete
            : NtStatus.Success;
    }

    private CreateVerdict Overwriting(in CreateRequest request, in CreateTarget target)
    {
        if (request.DirectoryRequired)
            return Refuse(NtStatus.InvalidParameter);
        if (target.Kind == TargetKind.Directory)
            return Refuse(Status.FileIsADirectory);
        if (!isWritable)
            return Refuse(Status.MediaWriteProtected);
        if (target.Kind != TargetKind.File)
            return Refuse(Status.Denied(request.Access));
        if (target.IsReadOnly)
            return Refuse(request.DeleteOnClose ? NtStatus.CannotDelete : Status.Denied(request.Access));

        // Who overwrites a hidden file must say that it stays hidden, or did not mean it.
        if ((target.Attributes & ~request.Attributes & Guarded) != 0)
            return Refuse(Status.Denied(request.Access));
        return new CreateVerdict(
            request.Mode == FileMode.Truncate ? NtStatus.Success : NtStatus.ObjectNameCollision, CreateAct.Overwrite);
    }

    private NtStatus OpeningDirectory(in CreateRequest request, in CreateTarget target)
    {
        if (request.DeleteOnClose)
        {
            if (target.IsRoot)
                return NtStatus.CannotDelete;
            if (!isWritable)
                return Status.MediaWriteProtected;
        }
        else if (!request.DirectoryRequired)
        {
            // DokanNet drops "must not be a directory". These two shapes are only ever sent with it.
            // The root is opened with Delete by Explorer for nothing and refuses only when it is really to be deleted.
            bool plainDelete = !target.IsRoot && AccessMask.WantsDelete(request.Access)
                && (request.Access & FileAccess.Synchronize) == 0;
            if (request.Mode == FileMode.OpenOrCreate || plainDelete)
                return Status.FileIsADirectory;
        }

        return !isWritable && AccessMask.WantsDataWrite(request.Access) ? Status.MediaWriteProtected : NtStatus.Success;
    }

    private NtStatus OpeningFile(in CreateRequest request, in CreateTarget target)
    {
        if (request.DirectoryRequired)
            return NtStatus.NotADirectory;
        bool refusesData = target.Kind switch
        {
            TargetKind.Special => AccessMask.WantsData(request.Access),
            TargetKind.LinkText => AccessMask.WantsDataWrite(request.Access),
            _ => target.IsReadOnly && AccessMask.WantsDataWrite(request.Access),
        };
        if (refusesData)
            return Status.Denied(request.Access);
        if (request.DeleteOnClose)
        {
            if (target.IsReadOnly)
                return NtStatus.CannotDelete;
            if (!isWritable)
                return Status.MediaWriteProtected;
        }

        return !isWritable && AccessMask.WantsDataWrite(request.Access) ? Status.MediaWriteProtected : NtStatus.Success;
    }

    private static CreateVerdict Refuse(NtStatus status) => new(status, CreateAct.Refuse);
}
