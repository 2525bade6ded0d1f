// What may be the label of a PFS (format page 11.2): 1 to 255 bytes, and nothing that could not be named as IMAGE@LABEL
// afterwards. Only new labels are judged: what is on the medium can be opened, renamed and deleted whatever it is called.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

/// <summary>Rules for labels of PFSs.</summary>
public static class PfsLabel
{
    /// <summary>The PFS that every volume has and that holds no files: systems mount it to reach the volume.</summary>
    public const string Local = "LOCAL";

    /// <summary>The name that a snapshot gets when nobody chose one: <c>LABEL.YYYYMMDD.HHMMSS</c>.</summary>
    public static string ForSnapshot(string label, DateTime time)
    {
        ArgumentNullException.ThrowIfNull(label);
        string suffix = time.ToString("'.'yyyyMMdd'.'HHmmss", CultureInfo.InvariantCulture);
        while (Encoding.UTF8.GetByteCount(label) + suffix.Length > FormatLimits.NameBytesMax)
            label = label[..^1];
        return label + suffix;
    }

    /// <summary>The bytes of a new label.</summary>
    /// <exception cref="Hammer2Exception"><c>InvalidName</c> or <c>NameTooLong</c>.</exception>
    internal static byte[] Check(string label)
    {
        ArgumentNullException.ThrowIfNull(label);
        if (label.Length == 0)
            throw new Hammer2Exception(Hammer2Error.InvalidName, "A PFS needs a label of at least one character.");
        byte[] bytes = Encoding.UTF8.GetBytes(label);
        if (bytes.Length > FormatLimits.NameBytesMax)
            throw new Hammer2Exception(Hammer2Error.NameTooLong, $"A label has at most {FormatLimits.NameBytesMax} bytes, not {bytes.Length}.");
        if (label.AsSpan().ContainsAny("/\\@") || label.Any(char.IsControl))
            throw new Hammer2Exception(Hammer2Error.InvalidName, $"The label '{label}' could not be named as IMAGE@LABEL; leave out slashes, backslashes, '@' and control characters.");
        return bytes;
    }
}
