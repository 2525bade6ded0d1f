// A volume as NTFS rules it, in memory and naively: what a program may expect of every call. Names compare without case and
// keep their spelling; sharing, deletion that waits for the last handle, what may be renamed over what.
// Invariants: written from the rules, not from the adapter; single-threaded; an answer is a status of the program. Calls
// nothing but the simulator's status names.

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

/// <summary>A file or directory of the model.</summary>
internal sealed class ModelNode(string name, ModelNode? parent, bool isDirectory)
{
    internal string Name { get; set; } = name;

    internal ModelNode? Parent { get; set; } = parent;

    internal bool IsDirectory { get; } = isDirectory;

    internal Dictionary<string, ModelNode> Children { get; } = new(StringComparer.OrdinalIgnoreCase);

    internal byte[] Data { get; set; } = [];

    internal bool IsReadOnly { get; set; }

    internal bool IsHidden { get; set; }

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

    internal ModelNode Root { get; } = new("", null, isDirectory: true);

    /// <summary>Every path of the volume with its content; directories end with a backslash.</summary>
    internal SortedDictionary<string, string> Tree()
    {
        var tree = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (ModelNode node in Root.Below)
            tree.Add(node.IsDirectory ? node.Path + @"\" : node.Path, Describe(node.Data, node.IsReadOnly, node.IsHidden, node.IsDirectory));
        return tree;
    }

    internal static string Describe(byte[] data, bool readOnly, bool hidden, bool directory) =>
        $"{(directory ? "" : $"{data.Length} {Convert.ToHexString(System.IO.Hashing.XxHash64.Hash(data))}")}{(readOnly && !directory ? " r" : "")}{(hidden ? " h" : "")}";

    internal NtStatus Open(string path, CreateDisposition disposition, FileAccess access, FileShare share, bool directory, bool deleteOnClose, out ModelHandle? handle)
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
            if (parent!.IsMarked)
                return NtStatus.DeletePending;
            node = new ModelNode(name, parent, directory);
            parent.Children.Add(name, node);
        }
        else
        {
            status = MayOpen(node, disposition, access, share, directory, deleteOnClose, empties);
            if (status != NtStatus.Success)
                return status;
            if (empties)
                node.Data = [];
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

    internal static void Write(ModelHandle handle, int offset, ReadOnlySpan<byte> bytes)
    {
        byte[] data = handle.Node.Data;
        if (data.Length < offset + bytes.Length)
            Array.Resize(ref data, offset + bytes.Length);
        bytes.CopyTo(data.AsSpan(offset));
        handle.Node.Data = data;
    }

    internal static void Resize(ModelHandle handle, int length)
    {
        byte[] data = handle.Node.Data;
        Array.Resize(ref data, length);
        handle.Node.Data = data;
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
        string above = target[..target.LastIndexOf('\\')];
        NtStatus status = Open(above, CreateDisposition.Open, adding, FileShare.ReadWrite, directory: true, deleteOnClose: false, out ModelHandle? held);
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
        ModelNode node, CreateDisposition disposition, FileAccess access, FileShare share, bool directory, bool deleteOnClose, bool empties)
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
        return empties && node.IsHidden ? denied : NtStatus.Success;
    }

    private static bool Conflict(FileAccess access, FileShare share, ModelHandle other) =>
        Wants(access) && Wants(other.Access) && (Excludes(access, other.Share) || Excludes(other.Access, share));

    private static bool Wants(FileAccess access) => (access & (Reading | Writing | FileAccess.Delete)) != 0;

    private static bool Excludes(FileAccess access, FileShare share) =>
        ((access & Reading) != 0 && (share & FileShare.Read) == 0)
        || ((access & Writing) != 0 && (share & FileShare.Write) == 0)
        || ((access & FileAccess.Delete) != 0 && (share & FileShare.Delete) == 0);

    private NtStatus Find(string path, out ModelNode? parent, out string name, out ModelNode? node)
    {
        (parent, name, node) = (null, "", Root);
        foreach (string component in path.Split('\\', StringSplitOptions.RemoveEmptyEntries))
        {
            if (node is not { IsDirectory: true })
                return NtStatus.ObjectPathNotFound;
            (parent, name) = (node, component);
            node = node.Children.GetValueOrDefault(component);
        }

        return NtStatus.Success;
    }
}
