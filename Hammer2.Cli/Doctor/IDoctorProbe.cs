// What the checks of `hammer2 doctor` ask of the machine. Invariant: a probe looks and changes nothing; whatever it cannot find
// out is an answer too (null), never an exception. Tests answer in its place.

namespace Hammer2.Cli.Doctor;

/// <summary>A mount as the doctor sees it.</summary>
/// <param name="Target">Where.</param>
/// <param name="Answers">Somebody serves it.</param>
/// <param name="Product">Version of the program that serves it; null when it answers no commands.</param>
internal sealed record MountHealth(string Target, bool Answers, string? Product);

/// <summary>The Windows service as the doctor sees it.</summary>
/// <param name="State">As <c>service status</c> prints it; null when it is not installed.</param>
/// <param name="SavedMounts">Mounts that are saved for the machine, which only the service makes.</param>
internal sealed record ServiceHealth(string? State, int SavedMounts);

/// <summary>Questions to the machine.</summary>
internal interface IDoctorProbe
{
    bool IsWindows { get; }

    bool IsRoot { get; }

    /// <summary>Version of this program.</summary>
    string OwnProduct { get; }

    /// <summary>Why mounting cannot work, null when it can.</summary>
    string? WhyNoMounting();

    bool FileExists(string path);

    /// <summary>The text of a file, null when it cannot be read.</summary>
    string? Text(string path);

    /// <summary>Path of a program that is found as the shell finds it, and whether it runs as root; null when there is none.</summary>
    (string Path, bool IsSetUserId)? Program(string name);

    IReadOnlyList<MountHealth> Mounts();

    /// <summary>The Windows service; null when the service manager does not answer.</summary>
    ServiceHealth? Service();

    /// <summary>Why the folder of control sockets cannot be used, null when it can.</summary>
    string? ControlFolderProblem();

    /// <summary>Free bytes of the file system that holds a path; null when unknown.</summary>
    long? FreeBytes(string path);

    /// <summary>Name of the file system that holds a path; null when unknown.</summary>
    string? FileSystemOf(string path);
}
