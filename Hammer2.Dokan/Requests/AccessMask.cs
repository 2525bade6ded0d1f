// The access mask of an open, with the generic bits expanded again (dokan-semantics A.0.9).
// Invariant: every rule of the adapter looks at an expanded mask, never at what DokanNet handed over. Calls nothing.

using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Requests;

/// <summary>Expansion and questions about access masks.</summary>
internal static class AccessMask
{
    private const FileAccess ReadSet = (FileAccess)0x120089;
    private const FileAccess WriteSet = (FileAccess)0x120116;
    private const FileAccess ExecuteSet = (FileAccess)0x1200A0;
    private const FileAccess AllSet = (FileAccess)0x1F01FF;

    /// <summary>Replaces each generic bit by the rights that it stands for.</summary>
    internal static FileAccess Expand(FileAccess access)
    {
        FileAccess expanded = access
            & ~(FileAccess.GenericRead | FileAccess.GenericWrite | FileAccess.GenericExecute | FileAccess.GenericAll);
        if ((access & FileAccess.GenericRead) != 0)
            expanded |= ReadSet;
        if ((access & FileAccess.GenericWrite) != 0)
            expanded |= WriteSet;
        if ((access & FileAccess.GenericExecute) != 0)
            expanded |= ExecuteSet;
        if ((access & FileAccess.GenericAll) != 0)
            expanded |= AllSet;
        return expanded;
    }

    /// <summary>Does the expanded mask ask to change data (of a directory: to add entries)?</summary>
    internal static bool WantsDataWrite(FileAccess expanded) =>
        (expanded & (FileAccess.WriteData | FileAccess.AppendData)) != 0;

    /// <summary>Does the expanded mask ask to read data, to list, or to run?</summary>
    internal static bool WantsDataRead(FileAccess expanded) => (expanded & (FileAccess.ReadData | FileAccess.Execute)) != 0;

    /// <summary>Does the expanded mask ask to change anything of the object itself or of its entries?</summary>
    internal static bool WantsChange(FileAccess expanded) =>
        (expanded & (FileAccess.WriteData | FileAccess.AppendData | FileAccess.WriteAttributes | FileAccess.Delete
            | FileAccess.DeleteChild)) != 0;

    /// <summary>Does the expanded mask ask for data in either direction?</summary>
    internal static bool WantsData(FileAccess expanded) =>
        (expanded & (FileAccess.ReadData | FileAccess.Execute | FileAccess.WriteData | FileAccess.AppendData)) != 0;

    /// <summary>Does the expanded mask ask for the right to delete?</summary>
    internal static bool WantsDelete(FileAccess expanded) => (expanded & FileAccess.Delete) != 0;
}
