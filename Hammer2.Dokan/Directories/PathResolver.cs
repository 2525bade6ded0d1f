// From a path as Windows spells it to an inode number: one fold look-up a component.
// Invariants: the syntax of the whole path is judged before anything is looked up; a component that is not a directory
// (a link to one included) makes the path "not found"; nothing is opened. Calls FoldIndexCache and the engine.

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
internal readonly record struct ResolvedPath(ulong InodeNumber, ulong ParentInode, ObjectType Type)
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
        resolved = new ResolvedPath(PfsMount.RootInodeNumber, PfsMount.RootInodeNumber, ObjectType.Directory);
        if (path.IsEmpty || path[0] != Separator || !IsSyntaxValid(path[1..]))
            return NtStatus.ObjectNameInvalid;
        ReadOnlySpan<char> rest = path[1..];
        while (!rest.IsEmpty)
        {
            ReadOnlySpan<char> component = Next(ref rest);
            if (resolved.Type != ObjectType.Directory)
                return NtStatus.ObjectPathNotFound;
            ulong parent = resolved.InodeNumber;
            NtStatus status = Step(parent, component, ref info, ref timer, out resolved);
            if (status == NtStatus.ObjectNameNotFound)
                return rest.IsEmpty ? NtStatus.ObjectNameNotFound : NtStatus.ObjectPathNotFound;
            if (status != NtStatus.Success)
                return status;
        }

        return NtStatus.Success;
    }

    /// <summary>Finds one name in a directory.</summary>
    internal NtStatus Step(
        ulong directory, ReadOnlySpan<char> component, ref DokanFileInfo info, ref RequestTimer timer,
        out ResolvedPath resolved)
    {
        resolved = new ResolvedPath(0, directory, ObjectType.Unknown);
        FoldIndex index;
        try
        {
            index = indexes.Get(directory, ref info, ref timer);
        }
        catch (Hammer2Exception unreadable)
        {
            return ErrorStatus.OfOpening(unreadable.Error);
        }

        if (index.TryFind(component, out FoldEntry entry))
        {
            resolved = new ResolvedPath(entry.InodeNumber, directory, entry.Type);
            return NtStatus.Success;
        }

        return index.IsDamaged ? StepInDamage(directory, component, ref resolved) : NtStatus.ObjectNameNotFound;
    }

    /// <summary>A name that is not among the readable ones of a damaged directory: the exact spelling may say more.</summary>
    private NtStatus StepInDamage(ulong directory, ReadOnlySpan<char> component, ref ResolvedPath resolved)
    {
        Span<byte> name = stackalloc byte[NameMapping.NameLengthMax];
        int length = NameMapping.ToMedium(component, name);
        Hammer2Error error = pfs.TryLookup(directory, name[..length], out InodeAttributes attributes);
        if (error == Hammer2Error.NotFound)
            return NtStatus.ObjectNameNotFound;
        if (error != Hammer2Error.None)
            return ErrorStatus.OfOpening(error);
        resolved = new ResolvedPath(attributes.InodeNumber, directory, attributes.Type);
        return NtStatus.Success;
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
