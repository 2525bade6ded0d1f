// The changing half of a vnode: bytes, size, attributes. Expected outcomes are return values; what the device or
// the medium does wrong is an exception. Every call is one operation of the commit gate.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

public sealed partial class Vnode
{
    /// <summary>Writes all of the data, or nothing.</summary>
    /// <returns>NoSpace, FileTooLarge, ReadOnly, IsADirectory, InvalidArgument (not a file), NotPermitted (flags).</returns>
    public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data) => Refusal;

    /// <summary>Writes the data at the end of the file, wherever that is by then.</summary>
    /// <param name="data">All of it is written, or nothing.</param>
    /// <param name="offset">Where it went.</param>
    public Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset)
    {
        offset = 0;
        return Refusal;
    }

    /// <summary>Cuts or extends the file; what is added reads as zeros.</summary>
    public Hammer2Error TrySetSize(long size) => Refusal;

    /// <summary>Makes a range read as zeros and gives up whole blocks in it; the size stays.</summary>
    public Hammer2Error TryPunchHole(long offset, long length) => Refusal;

    /// <summary>Makes sure that there is room for a range. HAMMER2 has no unwritten extents: the room is looked for, not taken.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, more than 0.</param>
    /// <param name="keepSize">False extends the file to the end of the range.</param>
    public Hammer2Error TryAllocate(long offset, long length, bool keepSize) => Refusal;

    /// <summary>Sets attributes, all of them or none.</summary>
    public Hammer2Error TrySetAttributes(in AttributeChanges changes) => Refusal;

    /// <summary>Returns when everything that was written to this object is durable.</summary>
    public void Sync() => Pfs.Volume.Sync();

    private Hammer2Error Refusal => Pfs.Volume.IsWritable ? Hammer2Error.Unsupported : Hammer2Error.ReadOnly;
}
