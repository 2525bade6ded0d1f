// The border between the model bench and what it judges: the engine, or the model itself with or without planted bugs.
// As small as the public interface of the engine allows. Names are text of one char per byte, so that sequences can be
// compared, printed and changed easily. Whatever a call throws is a finding.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>What an object is made with.</summary>
internal sealed record NewObject(ObjectType Type, uint Mode, uint Uid, uint? Gid, uint Major = 0, uint Minor = 0, string? Target = null);

/// <summary>An entry of a listing.</summary>
internal readonly record struct TargetEntry(string Name, ulong InodeNumber, ObjectType Type);

/// <summary>A filesystem that is judged.</summary>
internal interface ITarget : IDisposable
{
    ITargetNode OpenRoot();

    /// <summary>Makes everything durable.</summary>
    void Sync();

    /// <summary>Gives freed space back while everything goes on.</summary>
    void Reclaim();

    /// <summary>Closes and opens again; every node was closed before.</summary>
    void Remount();

    /// <summary>What a strict check of the closed or idle medium complains about.</summary>
    IReadOnlyList<string> Check();
}

/// <summary>An open object.</summary>
internal interface ITargetNode : IDisposable
{
    ulong InodeNumber { get; }

    InodeAttributes GetAttributes();

    Hammer2Error TryLookup(string name, out ITargetNode? node);

    Hammer2Error TryCreate(string name, NewObject what, out ITargetNode? node);

    Hammer2Error TryLink(ITargetNode existing, string name);

    Hammer2Error TryUnlink(string name);

    Hammer2Error TryRemoveDirectory(string name);

    Hammer2Error TryRename(string name, ITargetNode to, string newName, RenameMode mode);

    /// <summary>A piece of the listing after a position; null at the end. Throws when the object is no directory.</summary>
    IReadOnlyList<TargetEntry> List(ulong position, int count, out ulong next, out bool end);

    int Read(long offset, Span<byte> buffer);

    long? NextData(long offset);

    long NextHole(long offset);

    string ReadLink();

    Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data);

    Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset);

    Hammer2Error TrySetSize(long size);

    Hammer2Error TryPunchHole(long offset, long length);

    Hammer2Error TryAllocate(long offset, long length, bool keepSize);

    Hammer2Error TrySetAttributes(in AttributeChanges changes);

    void Sync();
}
