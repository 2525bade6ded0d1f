// A volume as NTFS rules it, in memory and naively: what a program may expect of every call. Names compare without case and
// keep their spelling; sharing, deletion that waits for the last handle, what may be renamed over what.
// Invariants: written from the rules, not from the adapter; single-threaded; an answer is a status of the program. Calls
// nothing but the simulator's status names.

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

/// <summary>The bytes of a file. Grows in place; a change costs what it touches.</summary>
internal sealed class ModelBytes
{
    private byte[] _bytes = [];

    internal int Length { get; private set; }

    internal ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>What a read gets.</summary>
    internal ReadOnlySpan<byte> Range(int offset, int count)
    {
        int from = Math.Min(offset, Length);
        return Span[from..Math.Min(Length, from + count)];
    }

    internal void Write(int offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + bytes.Length > Length)
            Resize(offset + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(offset));
    }

    internal void Resize(int length)
    {
        if (length > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(length, Math.Min(2 * _bytes.Length, _bytes.Length + (1 << 16))));
        if (length < Length)
            _bytes.AsSpan(length, Length - length).Clear();
        Length = length;
    }
}

/// <summary>A file or directory of the model.</summary>
internal sealed class ModelNode(string name, ModelNode? parent, bool isDirectory)
{
    internal string Name { get; set; } = name;

    internal ModelNode? Parent { get; set; } = parent;

    internal bool IsDirectory { get; } = isDirectory;

    internal Dictionary<string, ModelNode> Children { get; } = new(StringComparer.OrdinalIgnoreCase);

    internal Dictionary<string, ModelNode>.AlternateLookup<ReadOnlySpan<char>> ByName => Children.GetAlternateLookup<ReadOnlySpan<char>>();

    internal ModelBytes Data { get; } = new();

    /// <summary>Those of ReadOnly, Hidden and System that are set.</summary>
    internal FileAttributes Attributes { get; set; }

    internal bool IsReadOnly => (Attributes & FileAttributes.ReadOnly) != 0;

    /// <summary>What was set, as long as nothing was written afterwards.</summary>
    internal DateTime? Written { get; set; }

    internal bool IsMarked { get; set; }

    internal List<ModelHandle> Handles { get; } = [];

    internal string Path => Parent is null ? "" : $@"{Parent.Path}\{Name}";

    internal IEnumerable<ModelNode> Below => Children.Values.SelectMany(child => child.Below.Prepend(child));
}

/// <summary>An open of the model.</summary>
internal sealed record ModelHandle(ModelNode Node, FileAccess Access, FileShare Share, bool DeleteOnClose);

/// <summary>The model.</summary>
internal sealed class NtfsModel
{
    private const FileAccess Reading = FileAccess.ReadData | FileAccess.Execute;
    private const FileAccess Writing = FileAccess.WriteData | FileAccess.AppendData;

    /// <summary>The attributes that the model knows.</summary>
    internal const FileAttributes Known = FileAttributes.ReadOnly | FileAttributes.Hidden | FileAttributes.System;

    internal ModelNode Root { get; } = new("", null, isDirectory: true);

    internal NtStatus Open(
        ReadOnlySpan<char> path, CreateDisposition disposition, FileAccess access, FileShare share, bool directory, bool deleteOnClose,
        FileAttributes attributes, out ModelHandle? handle)
    {
        handle = null;
        NtStatus status = Find(path, out ModelNode? parent, out string name, out ModelNode? node);
        if (status != NtStatus.Success)
            return status;
        bool empties = disposition is CreateDisposition.Overwrite or CreateDisposition.OverwriteIf;
        if (node is null)
        {
            if (directory && empties)
                return NtStatus.InvalidParameter;
            if (disposition is CreateDisposition.Open or CreateDisposition.Overwrite)
                return NtStatus.ObjectNameNotFound;
            if (!directory && deleteOnClose && (attributes & FileAttributes.ReadOnly) != 0)
                return NtStatus.CannotDelete;
            if (parent!.IsMarked)
                return NtStatus.DeletePending;
            node = new ModelNode(name, parent, directory) { Attributes = attributes & (directory ? Known & ~FileAttributes.ReadOnly : Known) };
            parent.Children.Add(name, node);
        }
        else
        {
            status = MayOpen(node, disposition, access, share, directory, deleteOnClose, empties, attributes);
            if (status != NtStatus.Success)
                return status;
            if (empties)
            {
                node.Data.Resize(0);
                (node.Attributes, node.Written) = (node.Attributes | (attributes & Known), null);
            }
        }

        handle = new ModelHandle(node, access, share, deleteOnClose);
        node.Handles.Add(handle);
        return NtStatus.Success;
    }

    internal static void Close(ModelHandle handle)
    {
        ModelNode node = handle.Node;
        node.IsMarked |= handle.DeleteOnClose;
        node.Handles.Remove(handle);
        if (!node.IsMarked || node.Handles.Count > 0)
            return;
        node.IsMarked = false;
        if (node.Children.Count == 0 && node.Parent is not null)
            node.Parent.Children.Remove(node.Name);
    }

    internal static NtStatus Mark(ModelHandle handle, bool delete)
    {
        ModelNode node = handle.Node;
        if (node.IsMarked == delete)
            return NtStatus.Success;
        if (delete)
        {
            if (node.Parent is null || (node.IsReadOnly && !node.IsDirectory))
                return NtStatus.CannotDelete;
            if (node.Children.Count > 0)
                return NtStatus.DirectoryNotEmpty;
        }

        node.IsMarked = delete;
        return NtStatus.Success;
    }

    /// <summary>A rename, and what the open of the target's directory before it allows.</summary>
    internal NtStatus Move(ModelHandle handle, string target, bool replace)
    {
        ModelNode source = handle.Node;
        FileAccess adding = (source.IsDirectory ? FileAccess.AppendData : FileAccess.WriteData) | FileAccess.Synchronize;
        ReadOnlySpan<char> above = target.AsSpan(0, target.LastIndexOf('\\'));
        NtStatus status = Open(above, CreateDisposition.Open, adding, FileShare.ReadWrite, directory: true, deleteOnClose: false, 0, out ModelHandle? held);
        if (held is null)
            return status;
        held.Node.Handles.Remove(held);
        Find(target, out ModelNode? parent, out string name, out ModelNode? existing);
        if (source.IsMarked)
            return NtStatus.AccessDenied;
        if (existing is not null && existing != source)
        {
            if (!replace)
                return NtStatus.ObjectNameCollision;
            if (existing.IsDirectory || source.IsDirectory || existing.Handles.Count > 0 || existing.IsReadOnly)
                return NtStatus.AccessDenied;
        }

        if (source.IsDirectory && existing != source)
        {
            for (ModelNode? node = parent; node is not null; node = node.Parent)
            {
                if (node == source)
                    return NtStatus.InvalidParameter;
            }

            const FileAccess Changing = Writing | FileAccess.WriteAttributes | FileAccess.Delete | FileAccess.DeleteChild;
            if (source.Below.Any(static node => node.Handles.Exists(open => !node.IsDirectory || (open.Access & Changing) != 0)))
                return NtStatus.AccessDenied;
        }

        existing?.Parent!.Children.Remove(existing.Name);
        source.Parent!.Children.Remove(source.Name);
        (source.Name, source.Parent) = (name, parent!);
        parent!.Children.Add(name, source);
        return NtStatus.Success;
    }

    private static NtStatus MayOpen(
        ModelNode node, CreateDisposition disposition, FileAccess access, FileShare share, bool directory, bool deleteOnClose, bool empties, FileAttributes attributes)
    {
        bool isOpen = node.Handles.Count > 0;
        if (disposition == CreateDisposition.Create)
            return NtStatus.ObjectNameCollision;
        if (isOpen && node.IsMarked)
            return NtStatus.DeletePending;
        if (node.Handles.Exists(other => Conflict(access, share, other)))
            return NtStatus.SharingViolation;
        if (directory && empties)
            return NtStatus.InvalidParameter;
        if (!node.IsDirectory && directory)
            return NtStatus.NotADirectory;
        bool deletes = (access & FileAccess.Delete) != 0;
        if (node.IsDirectory)
        {
            bool shape = disposition == CreateDisposition.OpenIf || (deletes && (access & FileAccess.Synchronize) == 0);
            return empties || (!directory && !deleteOnClose && shape) ? Statuses.FileIsADirectory : NtStatus.Success;
        }

        NtStatus denied = deletes ? NtStatus.CannotDelete : NtStatus.AccessDenied;
        if (node.IsReadOnly && (empties || (access & Writing) != 0))
            return denied;
        if (node.IsReadOnly && deleteOnClose)
            return NtStatus.CannotDelete;
        const FileAttributes MustBeAsked = FileAttributes.Hidden | FileAttributes.System;
        return empties && (node.Attributes & MustBeAsked & ~attributes) != 0 ? denied : NtStatus.Success;
    }

    private static bool Conflict(FileAccess access, FileShare share, ModelHandle other) =>
        Wants(access) && Wants(other.Access) && (Excludes(access, other.Share) || Excludes(other.Access, share));

    private static bool Wants(FileAccess access) => (access & (Reading | Writing | FileAccess.Delete)) != 0;

    private static bool Excludes(FileAccess access, FileShare share) =>
        ((access & Reading) != 0 && (share & FileShare.Read) == 0)
        || ((access & Writing) != 0 && (share & FileShare.Write) == 0)
        || ((access & FileAccess.Delete) != 0 && (share & FileShare.Delete) == 0);

    private NtStatus Find(ReadOnlySpan<char> path, out ModelNode? parent, out string name, out ModelNode? node)
    {
        (parent, name, node) = (null, "", Root);
        while (path.Length > 1)
        {
            if (node is not { IsDirectory: true })
                return NtStatus.ObjectPathNotFound;
            int end = path[1..].IndexOf('\\') + 1;
            ReadOnlySpan<char> component = end == 0 ? path[1..] : path[1..end];
            path = end == 0 ? [] : path[end..];
            parent = node;
            if (node.ByName.TryGetValue(component, out node))
                name = path.IsEmpty ? component.ToString() : "";
            else
                (name, node) = (component.ToString(), null);
        }

        return NtStatus.Success;
    }
}
