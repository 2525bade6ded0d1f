// New objects (dokan-semantics A.1 "Creating", F.2.3, G.4).
// Invariants: made under the lock of the names, after the folded name was looked up once more, so that no case pair comes
// to be; nothing is made in a directory that is marked for deletion; a new object has the owner of its directory, or that
// of the file that had the name a moment ago.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <summary>Octal 0644 and 0755.</summary>
    private const uint NewFileMode = 0x1A4;
    private const uint NewDirectoryMode = 0x1ED;

    /// <summary>Makes what does not exist and opens it.</summary>
    /// <returns>False when the name or the directory is another one by now.</returns>
    private bool TryMake(
        ReadOnlySpan<char> path, ulong parentInode, in CreateRequest request, ref DokanFileInfo info, ref RequestTimer timer,
        out NtStatus status)
    {
        ReadOnlySpan<char> component = path[(path.LastIndexOf('\\') + 1)..];
        Span<byte> buffer = stackalloc byte[NameMapping.NameLengthMax];
        ReadOnlySpan<byte> name = buffer[..NameMapping.ToMedium(component, buffer)];
        lock (_names)
        {
            status = NtStatus.DeletePending;
            if (_opens.IsDeletePending(parentInode))
                return true;
            if (!TryOpenVnode(parentInode, out Vnode? parent))
                return false;
            using (parent)
            {
                status = CheckRightToAdd(parent!, request, ref info);
                if (status != NtStatus.Success)
                    return true;
                if (_paths.Step(parentInode, component, isLast: false, ref info, ref timer, out _) != NtStatus.ObjectNameNotFound)
                    return false;
                using FoldIndexCache.DirectoryChange change = _indexes.Change(parentInode);
                NewInode what = NewObject(parent!.GetAttributes(), name, request);
                Hammer2Error error = _pfs.TryCreate(parent, name, what, out Vnode? made);
                if (error is Hammer2Error.Exists or Hammer2Error.NotFound)
                    return false;
                if (error != Hammer2Error.None)
                {
                    status = error == Hammer2Error.NotPermitted ? Status.Denied(request.Access) : ErrorStatus.Of(error);
                    return true;
                }

                change.Added(name, made!.InodeNumber, made.Type);
                change.Complete();
                status = Keep(path, new ResolvedPath(made.InodeNumber, parentInode, made.Type, name.ToArray()), request, made, ref info);
                return true;
            }
        }
    }

    /// <summary>Enters the open of a new object; nobody else can have it open in a way that conflicts.</summary>
    private NtStatus Keep(
        ReadOnlySpan<char> path, in ResolvedPath resolved, in CreateRequest request, Vnode made, ref DokanFileInfo info)
    {
        OpenFile open = Describe(path, resolved, request, made);
        open.Who = _rights.AsksWho ? WhoAsks(ref info) : null;
        NtStatus status = _opens.Enter(open);
        if (status != NtStatus.Success)
        {
            open.Dispose();
            return status;
        }

        FileAttributes transient = request.Attributes & WindowsAttributes.Transient;
        if (transient != 0)
            _memory.SetAttributes(made.InodeNumber, transient);
        info.IsDirectory = open.Kind == TargetKind.Directory;
        info.Context = open;
        return NtStatus.Success;
    }

    private NewInode NewObject(in InodeAttributes parent, ReadOnlySpan<byte> name, in CreateRequest request)
    {
        FileAttributes attributes = request.Attributes;
        if (request.DirectoryRequired)
        {
            return new NewInode
            {
                Type = ObjectType.Directory,
                Mode = NewDirectoryMode,
                Uid = parent.Uid,
                Gid = parent.Gid,
                UserFlags = WindowsAttributes.FlagsFor(0, attributes, isFile: false),
            };
        }

        bool takesOver = _tunnel.TryTake(parent.InodeNumber, name, out TunneledFacts facts);
        uint mode = takesOver ? facts.Mode | WindowsAttributes.OwnerWriteBit : NewFileMode;
        return new NewInode
        {
            Type = ObjectType.File,
            Mode = WindowsAttributes.ModeFor(mode, attributes),
            Uid = takesOver ? facts.Uid : parent.Uid,
            Gid = takesOver ? facts.Gid : parent.Gid,
            BirthTimeUs = takesOver && facts.BirthTimeUs != 0 ? facts.BirthTimeUs : null,
            UserFlags = WindowsAttributes.FlagsFor(0, attributes | FileAttributes.Archive, isFile: true),
        };
    }
}
