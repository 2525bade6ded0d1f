// The volume that this process has mounted, for verbs that clients send here. Invariants: the volume belongs to the mount and
// is never closed by a verb; PFSs are opened for each verb anew. May call Mounting.

using Hammer2.Cli.Mounting;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Live;

/// <summary>A volume that is mounted here.</summary>
/// <param name="Volume">Open for as long as the mount lives.</param>
/// <param name="Paths">Absolute paths of its files, separated by colons.</param>
/// <param name="Mounts">The mounts of this process; more can be added.</param>
/// <param name="Directory">Where the client is.</param>
/// <param name="Label">The PFS that the client means; null when its arguments say so.</param>
internal sealed record LiveVolume(Hammer2Volume Volume, string Paths, HeldMounts Mounts, string Directory, string? Label);
