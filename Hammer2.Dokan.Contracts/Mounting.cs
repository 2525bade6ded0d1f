// The mounting types of DokanNet 2.3.0.3, declared anew. They have no behaviour: whatever needs the native library
// throws PlatformNotSupportedException with a sentence that says which package is missing.
// Invariant: equal to the published list (Hammer2.Tests/Dokan/dokannet-api.txt); a test compares them. Calls nothing.

using System.Runtime.Versioning;
using DokanNet.Logging;
using DokanNet.Native;

namespace DokanNet;

#pragma warning disable CA1024, CA1063, CA1816, CA1822, CA1034, CA1003, CA1716 // The shapes are those of the package.

/// <summary>The loaded native library.</summary>
[SupportedOSPlatform("windows")]
public class Dokan : IDisposable
{
    /// <summary>Loads the native library.</summary>
    public Dokan(ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(logger);
        throw ContractsOnly.Refusal();
    }

    /// <summary>Version of the library, 200 for 2.0.0.</summary>
    public int Version => throw ContractsOnly.Refusal();

    /// <summary>Version of the driver.</summary>
    public int DriverVersion => throw ContractsOnly.Refusal();

    /// <summary>Unmounts by mount point.</summary>
    public bool RemoveMountPoint(string mountPoint) => throw ContractsOnly.Refusal();

    /// <summary>Unmounts by drive letter.</summary>
    public bool Unmount(char driveLetter) => throw ContractsOnly.Refusal();

    /// <inheritdoc />
    public void Dispose() => Dispose(true);

    /// <summary>Unloads.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>A mounted file system. Disposing it unmounts.</summary>
[SupportedOSPlatform("windows")]
public class DokanInstance : IDisposable
{
    internal DokanInstance() => throw ContractsOnly.Refusal();

    /// <summary>Is it still mounted?</summary>
    public bool IsFileSystemRunning() => throw ContractsOnly.Refusal();

    /// <summary>Waits until it is unmounted: zero when it is, otherwise the wait result.</summary>
    public uint WaitForFileSystemClosed(uint milliSeconds) => throw ContractsOnly.Refusal();

    /// <summary>Tells Windows of a new name.</summary>
    public bool NotifyCreate(string filePath, bool isDirectory) => throw ContractsOnly.Refusal();

    /// <summary>Tells Windows of a name that is gone.</summary>
    public bool NotifyDelete(string filePath, bool isDirectory) => throw ContractsOnly.Refusal();

    /// <summary>Tells Windows of other content or attributes.</summary>
    public bool NotifyUpdate(string filePath) => throw ContractsOnly.Refusal();

    /// <summary>Waits until it is unmounted: true when it is.</summary>
    public Task<bool> WaitForFileSystemClosedAsync(uint milliSeconds) => throw ContractsOnly.Refusal();

    /// <inheritdoc />
    public void Dispose() => Dispose(true);

    /// <summary>Unmounts.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>Mounts a file system.</summary>
public class DokanInstanceBuilder
{
    /// <summary>Fills in the options of the mount.</summary>
    public delegate void OptionsConfigurationDelegate(DOKAN_OPTIONS options);

    /// <summary>Begins with default options.</summary>
    public DokanInstanceBuilder(Dokan dokan)
    {
        ArgumentNullException.ThrowIfNull(dokan);
        throw ContractsOnly.Refusal();
    }

    /// <summary>Sets options.</summary>
    public DokanInstanceBuilder ConfigureOptions(OptionsConfigurationDelegate optionsConfigurationDelegate) =>
        throw ContractsOnly.Refusal();

    /// <summary>Sets the logger.</summary>
    public DokanInstanceBuilder ConfigureLogger(Func<ILogger> IlogegrFactory) => throw ContractsOnly.Refusal();

    /// <summary>Mounts.</summary>
    [SupportedOSPlatform("windows")]
    public DokanInstance Build(IDokanOperations2 operations) => throw ContractsOnly.Refusal();
}

/// <summary>A mount failed.</summary>
public class DokanException : Exception
{
    internal DokanException(DokanStatus status, string message)
        : base(message)
    {
        ErrorStatus = status;
    }

    /// <summary>Why.</summary>
    public DokanStatus ErrorStatus { get; }
}
