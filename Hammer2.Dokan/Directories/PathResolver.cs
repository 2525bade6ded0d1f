// From a path as Windows spells it to an inode number.
// Invariants: the syntax of the whole path is judged before anything is looked up; a name is looked up in its exact
// spelling first, which needs no index, and then by its fold; a component that is not a directory (a link to one included)
// makes the path "not found"; nothing is opened. Calls FoldIndexCache and the engine.

using System.Runtime.Versioning;
using DokanNet;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Directories;

/// <summary>What a path leads to. A missing object has inode number 0 and a valid parent.</summary>
/// <param name="InodeNumber">The object; 0 when it is missing.</param>
/// <param name="ParentInode">The directory that holds the name, or would.</param>
/// <param name="Type">Kind of the object.</param>
/// <param name="Name">The name as the medium has it; empty for the root and for what is missing.</param>
internal readonly record struct ResolvedPath(ulong InodeNumber, ulong ParentInode, ObjectType Type, byte[] Name)
{
    internal bool IsRoot => InodeNumber == PfsMount.RootInodeNumber;
}

/// <summary>Resolution of paths.</summary>
[SupportedOSPlatform("windows")]
internal sealed class PathResolver(PfsMount pfs, FoldIndexCache indexes)
{
    private const char Separator = '\\';

    /// <summary>Resolves a path. ObjectNameNotFound means that only the last component is missing.</summary>
    internal NtStatus Resolve(
        ReadOnlySpan<char> path, ref DokanFileInfo info, ref RequestTimer timer, out ResolvedPath resolved)
    {
        resolved = new ResolvedPath(PfsMount.RootInodeNumber, PfsMount.RootInodeNumber, ObjectType.Directory, []);
        if (path.IsEmpty || path[0] != Separator || !IsSyntaxValid(path[1..]))
            return NtStatus.ObjectNameInvalid;
        ReadOnlySpan<char> rest = path[1..];
        while (!rest.IsEmpty)
        {
            ReadOnlySpan<char> component = Next(ref rest);
            if (resolved.Type != ObjectType.Directory)
                return NtStatus.ObjectPathNotFound;
            ulong parent = resolved.InodeNumber;
            NtStatus status = Step(parent, component, isLast: rest.IsEmpty, ref info, ref timer, out resolved);
            if (status == NtStatus.ObjectNameNotFound)
                return rest.IsEmpty ? NtStatus.ObjectNameNotFound : NtStatus.ObjectPathNotFound;
            if (status != NtStatus.Success)
                return status;
        }

        return NtStatus.Success;
    }

    /// <summary>Finds one name in a directory.</summary>
    /// <param name="directory">Inode number of the directory.</param>
    /// <param name="component">A valid name.</param>
    /// <param name="isLast">Is the medium's spelling of the name wanted?</param>
    /// <param name="info">For asking for more time.</param>
    /// <param name="timer">The age of the request.</param>
    /// <param name="resolved">What the name leads to.</param>
    /// <returns>Success, ObjectNameNotFound, or what is wrong with the directory.</returns>
    internal NtStatus Step(
        ulong directory, ReadOnlySpan<char> component, bool isLast, ref DokanFileInfo info, ref RequestTimer timer,
        out ResolvedPath resolved)
    {
        resolved = new ResolvedPath(0, directory, ObjectType.Unknown, []);
        FoldIndex? index = indexes.Peek(directory);
        if (index is null)
        {
            // What is wrong with the object is for whoever opens it; here only its name matters.
            if (StepExactly(directory, component, ref resolved) == NtStatus.Success)
                return NtStatus.Success;
            try
            {
                index = indexes.Get(directory, ref info, ref timer);
            }
            catch (Hammer2Exception gone) when (gone.Error == Hammer2Error.NotFound)
            {
                return NtStatus.ObjectNameNotFound; // Removed since its own name was looked up.
            }
            catch (Hammer2Exception unreadable)
            {
                return ErrorStatus.OfOpening(unreadable.Error);
            }
        }

        if (!index.TryFind(component, out FoldEntry entry))
            return index.IsDamaged ? StepExactly(directory, component, ref resolved) : NtStatus.ObjectNameNotFound;
        byte[] name = isLast ? index.NameOf(entry.Index).ToArray() : [];
        resolved = new ResolvedPath(entry.InodeNumber, directory, entry.Type, name);
        return NtStatus.Success;
    }

    /// <summary>Looks a name up by the hash of its exact spelling: without an index, and where a part of the directory is
    /// damaged and its names cannot be listed.</summary>
    private NtStatus StepExactly(ulong directory, ReadOnlySpan<char> component, ref ResolvedPath resolved)
    {
        Span<byte> name = stackalloc byte[NameMapping.NameLengthMax];
        int length = NameMapping.ToMedium(component, name);
        Hammer2Error error = TryLookup(directory, name[..length], out ulong inodeNumber, out ObjectType type);
        if (error == Hammer2Error.NotFound)
            return NtStatus.ObjectNameNotFound;
        if (error != Hammer2Error.None)
            return ErrorStatus.OfOpening(error);
        if (type == ObjectType.Whiteout)
            return NtStatus.ObjectNameNotFound;
        resolved = new ResolvedPath(inodeNumber, directory, type, name[..length].ToArray());
        return NtStatus.Success;
    }

    private Hammer2Error TryLookup(ulong directory, ReadOnlySpan<byte> name, out ulong inodeNumber, out ObjectType type)
    {
        try
        {
            return pfs.TryLookup(directory, name, out inodeNumber, out type);
        }
        catch (Hammer2Exception unreadable)
        {
            (inodeNumber, type) = (0, ObjectType.Unknown);
            return unreadable.Error;
        }
    }

    private static bool IsSyntaxValid(ReadOnlySpan<char> rest)
    {
        Span<byte> name = stackalloc byte[NameMapping.NameLengthMax];
        while (!rest.IsEmpty)
        {
            int separator = rest.IndexOf(Separator);
            ReadOnlySpan<char> component = separator < 0 ? rest : rest[..separator];
            if (NameMapping.ToMedium(component, name) < 0 || separator == rest.Length - 1)
                return false;
            rest = separator < 0 ? [] : rest[(separator + 1)..];
        }

        return true;
    }

    private static ReadOnlySpan<char> Next(ref ReadOnlySpan<char> rest)
    {
        int separator = rest.IndexOf(Separator);
        ReadOnlySpan<char> component = separator < 0 ? rest : rest[..separator];
        rest = separator < 0 ? [] : rest[(separator + 1)..];
        return component;
    }
}
