// The status matrix of CreateFile for a read-only volume, as a pure function (dokan-semantics section C).
// Invariants: the mask is expanded; name syntax and parents were judged before; nothing is opened here. An answer of
// Success or ObjectNameCollision with Opens set means that the object is opened. Calls AccessMask and Status.

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
internal readonly record struct CreateRequest(FileAccess Access, FileMode Mode, FileOptions Options, bool DirectoryRequired)
{
    internal bool DeleteOnClose => (Options & FileOptions.DeleteOnClose) != 0;
}

/// <summary>What a name stands for: its kind, and the ReadOnly attribute.</summary>
internal readonly record struct CreateTarget(TargetKind Kind, bool IsReadOnly, bool IsRoot);

/// <summary>The verdict on a request.</summary>
internal readonly record struct CreateVerdict(NtStatus Status, bool Opens);

/// <summary>The rules.</summary>
internal static class CreateRules
{
    /// <summary>The answer for a name that does not exist, whose parent does.</summary>
    internal static NtStatus Missing(in CreateRequest request) => request.Mode switch
    {
        FileMode.Create or FileMode.Truncate when request.DirectoryRequired => NtStatus.InvalidParameter,
        FileMode.Open or FileMode.Truncate => NtStatus.ObjectNameNotFound,
        FileMode.CreateNew or FileMode.OpenOrCreate or FileMode.Create => Status.MediaWriteProtected,
        _ => NtStatus.InvalidParameter,
    };

    /// <summary>The answer for a name that exists.</summary>
    internal static CreateVerdict Existing(in CreateRequest request, in CreateTarget target)
    {
        switch (request.Mode)
        {
            case FileMode.CreateNew:
                return Refuse(NtStatus.ObjectNameCollision);
            case FileMode.Create or FileMode.Truncate:
                return Refuse(Overwriting(request, target));
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
            request.Mode == FileMode.Open ? NtStatus.Success : NtStatus.ObjectNameCollision, Opens: true);
    }

    private static NtStatus Overwriting(in CreateRequest request, in CreateTarget target)
    {
        if (request.DirectoryRequired)
            return NtStatus.InvalidParameter;
        return target.Kind == TargetKind.Directory ? Status.FileIsADirectory : Status.MediaWriteProtected;
    }

    private static NtStatus OpeningDirectory(in CreateRequest request, in CreateTarget target)
    {
        if (request.DeleteOnClose)
            return target.IsRoot ? NtStatus.CannotDelete : Status.MediaWriteProtected;
        if (!request.DirectoryRequired)
        {
            // DokanNet drops "must not be a directory". These two shapes are only ever sent with it.
            // The root is opened with Delete by Explorer for nothing and refuses only when it is really to be deleted.
            bool plainDelete = !target.IsRoot && AccessMask.WantsDelete(request.Access)
                && (request.Access & FileAccess.Synchronize) == 0;
            if (request.Mode == FileMode.OpenOrCreate || plainDelete)
                return Status.FileIsADirectory;
        }

        return AccessMask.WantsDataWrite(request.Access) ? Status.MediaWriteProtected : NtStatus.Success;
    }

    private static NtStatus OpeningFile(in CreateRequest request, in CreateTarget target)
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
            return target.IsReadOnly ? NtStatus.CannotDelete : Status.MediaWriteProtected;
        return AccessMask.WantsDataWrite(request.Access) ? Status.MediaWriteProtected : NtStatus.Success;
    }

    private static CreateVerdict Refuse(NtStatus status) => new(status, Opens: false);
}
