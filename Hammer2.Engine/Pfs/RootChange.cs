// What an administrative call wants of the super-root: entries that go, and PFS roots that come. Entered inside an operation,
// which has made the path to each key ready; done by the next freeze after all PFSs were written, so that a root which is made
// from another one has exactly what that commit has. Then nothing needs to be read, and nothing can be refused any more.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Pfs;

/// <summary>A change of one entry of the super-root.</summary>
/// <param name="Key">Where it stands.</param>
internal abstract record RootChange(ulong Key);

/// <summary>The entry goes.</summary>
/// <param name="Key">Where it stands.</param>
internal sealed record RootRemoval(ulong Key) : RootChange(Key);

/// <summary>A PFS root is written, in place of the one of the same key if there is one.</summary>
/// <param name="Key">Where it will stand.</param>
/// <param name="Label">Its label, 1 to 255 bytes.</param>
/// <param name="Make">Asked for the rest during the freeze, when every tree is on its way to the medium.</param>
internal sealed record RootCreation(ulong Key, byte[] Label, Func<RootImage> Make) : RootChange(Key);

/// <summary>The content of a PFS root but for its label.</summary>
/// <param name="Data">The fixed part; key and length of the name are set by who writes it.</param>
/// <param name="Blockset">Live references of its blockset.</param>
/// <param name="Methods">Methods of the reference to it.</param>
internal sealed record RootImage(InodeData Data, BlockRef[] Blockset, byte Methods);
