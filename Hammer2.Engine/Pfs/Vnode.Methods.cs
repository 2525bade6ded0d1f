// What new blocks of an object are compressed and checked with (format page 5.7). Existing blocks stay as they are: each says in
// its own reference how it is stored. Objects that are made in a directory begin with the directory's settings.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

public sealed partial class Vnode
{
    /// <summary>Sets the compression of what is written from now on, and of a directory's new objects.</summary>
    /// <param name="method">None stores as is, autozero besides makes blocks of zeros holes.</param>
    /// <param name="level">Of zlib: 6 to 9, or 0 for the default, 6. Of the others: 0.</param>
    /// <returns>InvalidArgument (method or level), NotPermitted (flags), NoSpace, ReadOnly.</returns>
    public Hammer2Error TrySetCompression(CompressionMethod method, int level = 0) => MethodSettings.IsLegal(method, level)
        ? TrySetAttributes(new AttributeChanges { Compression = method, CompressionLevel = level })
        : Hammer2Error.InvalidArgument;

    /// <summary>
    /// Sets the check code of what is written from now on, and of a directory's new objects. None and disabled store data
    /// without one; directories, inodes and block tables are never without.
    /// </summary>
    /// <returns>InvalidArgument, NotPermitted (flags), NoSpace, ReadOnly.</returns>
    public Hammer2Error TrySetCheck(CheckMethod method) => method <= CheckMethod.Sha192
        ? TrySetAttributes(new AttributeChanges { Check = method })
        : Hammer2Error.InvalidArgument;
}
