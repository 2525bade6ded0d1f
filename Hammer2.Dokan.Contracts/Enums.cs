// The enumerations of DokanNet 2.3.0.3 that the Windows front end uses, declared anew: names and values only.
// Invariant: every name and value equals the published list (Hammer2.Tests/Dokan/dokannet-api.txt); a test compares them.
// Calls nothing.

namespace DokanNet;

#pragma warning disable CA1069 // The package names one bit twice.

/// <summary>The access mask of a request, as DokanNet hands it over: complete sets arrive folded into the generic bits.</summary>
[Flags]
public enum FileAccess : long
{
    None = 0x0,
    ReadData = 0x1,
    WriteData = 0x2,
    AppendData = 0x4,
    ReadExtendedAttributes = 0x8,
    WriteExtendedAttributes = 0x10,
    Execute = 0x20,
    DeleteChild = 0x40,
    ReadAttributes = 0x80,
    WriteAttributes = 0x100,
    Delete = 0x10000,
    ReadPermissions = 0x20000,
    ChangePermissions = 0x40000,
    SetOwnership = 0x80000,
    Synchronize = 0x100000,
    AccessSystemSecurity = 0x1000000,
    Reserved = 0x1000000,
    MaximumAllowed = 0x2000000,
    GenericAll = 0x10000000,
    GenericExecute = 0x20000000,
    GenericWrite = 0x40000000,
    GenericRead = 0x80000000,
}

/// <summary>Options of a mount.</summary>
[Flags]
public enum DokanOptions : uint
{
    FixedDrive = 0x0,
    DebugMode = 0x1,
    StderrOutput = 0x2,
    AltStream = 0x4,
    WriteProtection = 0x8,
    NetworkDrive = 0x10,
    RemovableDrive = 0x20,
    MountManager = 0x40,
    CurrentSession = 0x80,
    UserModeLock = 0x100,
    CaseSensitive = 0x200,
    EnableNetworkUnmount = 0x400,
    DispatchDriverLogs = 0x800,
    AllowIpcBatching = 0x1000,
}

/// <summary>What a volume says it can do.</summary>
[Flags]
public enum FileSystemFeatures : uint
{
    None = 0x0,
    CaseSensitiveSearch = 0x1,
    CasePreservedNames = 0x2,
    UnicodeOnDisk = 0x4,
    PersistentAcls = 0x8,
    VolumeQuotas = 0x20,
    SupportsSparseFiles = 0x40,
    SupportsReparsePoints = 0x80,
    SupportsRemoteStorage = 0x100,
    VolumeIsCompressed = 0x8000,
    SupportsObjectIDs = 0x10000,
    SupportsEncryption = 0x20000,
    NamedStreams = 0x40000,
    ReadOnlyVolume = 0x80000,
    SequentialWriteOnce = 0x100000,
    SupportsTransactions = 0x200000,
}

/// <summary>Why a mount failed.</summary>
public enum DokanStatus : int
{
    VersionError = -7,
    MountPointError = -6,
    MountError = -5,
    StartError = -4,
    DriverInstallError = -3,
    DriveLetterError = -2,
    Error = -1,
    Success = 0x00000000,
}

/// <summary>Status values. All positive: the underlying type is wider than the 32 bits of a real NTSTATUS.</summary>
public enum NtStatus : long
{
    Success = 0x0,
    Pending = 0x103,
    BufferOverflow = 0x80000005,
    NoMoreFiles = 0x80000006,
    DeviceBusy = 0x80000011,
    Unsuccessful = 0xC0000001,
    NotImplemented = 0xC0000002,
    InvalidHandle = 0xC0000008,
    InvalidParameter = 0xC000000D,
    NoSuchDevice = 0xC000000E,
    NoSuchFile = 0xC000000F,
    InvalidDeviceRequest = 0xC0000010,
    EndOfFile = 0xC0000011,
    AccessDenied = 0xC0000022,
    BufferTooSmall = 0xC0000023,
    ObjectNameInvalid = 0xC0000033,
    ObjectNameNotFound = 0xC0000034,
    ObjectNameCollision = 0xC0000035,
    ObjectPathNotFound = 0xC000003A,
    DataError = 0xC000003E,
    CrcError = 0xC000003F,
    SharingViolation = 0xC0000043,
    FileLockConflict = 0xC0000054,
    LockNotGranted = 0xC0000055,
    DeletePending = 0xC0000056,
    PrivilegeNotHeld = 0xC0000061,
    DiskFull = 0xC000007F,
    NotSameDevice = 0xC00000D4,
    InternalError = 0xC00000E5,
    DirectoryNotEmpty = 0xC0000101,
    NotADirectory = 0xC0000103,
    Cancelled = 0xC0000120,
    CannotDelete = 0xC0000121,
    FileTooLarge = 0xC0000904,
}
