// Emergency mode (format page 9.9): a volume without a free block is to be emptied, and every commit needs some. The reference
// overwrites blocks in place for that, which breaks snapshots and does not survive a power cut; here nothing is overwritten in
// this mode either (R16). What it opens instead is said in docs/architecture.md.

namespace Hammer2.Engine.Volumes;

public sealed partial class Hammer2Volume
{
    /// <summary>
    /// While true, names and data can only be removed and attributes changed, and for that every free block may be used, and the
    /// few megabytes that the freemap of every volume keeps out of reach. For volumes that are full to the last block. A flag of
    /// this opening, never stored. Switching it on walks all trees once and looks for space that can be freed.
    /// </summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>ReadOnly</c>.</exception>
    public bool EmergencyMode
    {
        get => Writer?.Freemap.IsEmergency ?? false;
        set
        {
            VolumeWriter writer = WriterForAdministration();
            if (value == writer.Freemap.IsEmergency)
                return;
            if (value)
            {
                writer.Space.FindPool();
                writer.Blocks.Dedup?.Clear();
            }

            writer.Freemap.SetEmergency(value);
        }
    }
}
