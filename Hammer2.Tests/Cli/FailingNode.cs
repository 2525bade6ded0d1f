// A directory of the host in which one file cannot be read: its first read fails as a broken device's would.
// Everything else is passed through.

using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Cli;

/// <summary>Fails reads of one name.</summary>
internal sealed class FailingNode(IFileNode inner, string failing, bool fails = false) : IFileNode
{
    public NodeIdentity Identity => inner.Identity;

    public ObjectType Type => inner.Type;

    public InodeAttributes GetAttributes() => inner.GetAttributes();

    public int Read(long offset, Span<byte> buffer) =>
        fails ? throw new Hammer2Exception(Hammer2Error.Io, "the device failed") : inner.Read(offset, buffer);

    public long? NextData(long offset) => fails ? offset : inner.NextData(offset);

    public long NextHole(long offset) => fails ? long.MaxValue : inner.NextHole(offset);

    public byte[] ReadLink() => inner.ReadLink();

    public IEnumerable<ListedName> ReadDirectory() => inner.ReadDirectory();

    public Hammer2Error TryGetAttributes(ReadOnlySpan<byte> name, out InodeAttributes attributes, out NodeIdentity identity) =>
        inner.TryGetAttributes(name, out attributes, out identity);

    public Hammer2Error TryLookup(ReadOnlySpan<byte> name, NodeUse use, out IFileNode? node)
    {
        Hammer2Error error = inner.TryLookup(name, use, out IFileNode? found);
        node = found is null ? null : new FailingNode(found, failing, System.Text.Encoding.UTF8.GetString(name) == failing);
        return error;
    }

    public Hammer2Error TryCreate(ReadOnlySpan<byte> name, in NewInode what, out IFileNode? node) => inner.TryCreate(name, what, out node);

    public Hammer2Error TryLink(IFileNode existing, ReadOnlySpan<byte> name) => inner.TryLink(existing, name);

    public Hammer2Error TryUnlink(ReadOnlySpan<byte> name) => inner.TryUnlink(name);

    public Hammer2Error TryRemoveDirectory(ReadOnlySpan<byte> name) => inner.TryRemoveDirectory(name);

    public Hammer2Error TryRename(ReadOnlySpan<byte> name, IFileNode to, ReadOnlySpan<byte> newName, RenameMode mode) =>
        inner.TryRename(name, to, newName, mode);

    public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data) => inner.TryWrite(offset, data);

    public Hammer2Error TryAppend(ReadOnlySpan<byte> data) => inner.TryAppend(data);

    public Hammer2Error TrySetSize(long size) => inner.TrySetSize(size);

    public Hammer2Error TrySetAttributes(in AttributeChanges changes) => inner.TrySetAttributes(changes);

    public void Dispose() => inner.Dispose();
}
