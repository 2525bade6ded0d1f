// Short names for rights and shares, as the scripts of dokan-semantics write them, for all tests of this folder.
// Every mask is a native one, with the generic sets spelled out; the driver folds them. Calls nothing.

global using static Hammer2.Tests.Dokan.ContractNames;

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

/// <summary>Abbreviations of section B.</summary>
internal static class ContractNames
{
    internal const FileAccess CanReadAttributes = FileAccess.ReadAttributes;
    internal const FileAccess CanWriteAttributes = FileAccess.WriteAttributes;
    internal const FileAccess CanRead = FileAccess.ReadData;
    internal const FileAccess CanWrite = FileAccess.WriteData;
    internal const FileAccess CanAppend = FileAccess.AppendData;
    internal const FileAccess CanDelete = FileAccess.Delete;
    internal const FileAccess Waits = FileAccess.Synchronize;
    internal const FileAccess AllRead = Win32Client.GenericRead;
    internal const FileAccess AllWrite = Win32Client.GenericWrite;
    internal const FileAccess AllExecute = Win32Client.GenericExecute;
    internal const FileShare ShareNone = FileShare.None;
    internal const FileShare ShareRead = FileShare.Read;
    internal const FileShare ShareReadWrite = FileShare.ReadWrite;

    /// <summary>Names that a test expects.</summary>
    internal static string[] List(params string[] names) => names;

    /// <summary>The mask of DeleteFile and rename.</summary>
    internal const FileAccess ToDelete = FileAccess.Delete | FileAccess.ReadAttributes;

    /// <summary>The mask of RemoveDirectory and of a rename.</summary>
    internal const FileAccess ToMove = ToDelete | FileAccess.Synchronize;

    /// <summary>The mask of a listing.</summary>
    internal const FileAccess ToList = FileAccess.ReadData | FileAccess.Synchronize;
}
