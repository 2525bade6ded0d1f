// The names of a volume's files. One file can be reached by several names; whoever compares volumes by their files, or looks for
// the process that has one open, must come to the same name. Calls the file system.

namespace Hammer2.Control;

/// <summary>Names of volume files.</summary>
public static class VolumeFiles
{
    /// <summary>The absolute path with links resolved; of what does not exist, or is no link, the absolute path.</summary>
    public static string RealPath(string path)
    {
        string full = Path.GetFullPath(path);
        try
        {
            return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
        }
        catch (IOException)
        {
            // Nothing there at all: opening it says what is wrong.
            return full;
        }
    }
}
