// Where saved mounts and what was decided about filesystems are kept: a folder of the user, or of the machine. Invariants: a file
// is written whole beside the old one and then takes its name, so that a reader never sees half; two writers take turns; what
// decides for the machine belongs to administrators, because a service that may do everything acts on it.

using System.Runtime.Versioning;
using System.Security.AccessControl;
using System.Security.Principal;
using System.Text.Json;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Saved;

/// <summary>One folder of settings.</summary>
internal sealed class SettingsFolder(string path, bool isSystem)
{
    /// <summary>Environment variable that names a folder to use instead of both, with <c>user</c> and <c>system</c> below.</summary>
    public const string Variable = "HAMMER2_SETTINGS";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    public string Path => path;

    /// <summary>The folder of this user.</summary>
    public static SettingsFolder OfUser() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } elsewhere
        ? new SettingsFolder(System.IO.Path.Combine(elsewhere, "user"), false)
        : OperatingSystem.IsWindows()
            ? new SettingsFolder(Below(Environment.SpecialFolder.LocalApplicationData, "Hammer2"), false)
            : new SettingsFolder(Below(Environment.SpecialFolder.ApplicationData, "hammer2"), false);

    /// <summary>The folder of the machine.</summary>
    public static SettingsFolder OfSystem() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } elsewhere
        ? new SettingsFolder(System.IO.Path.Combine(elsewhere, "system"), false)
        : OperatingSystem.IsWindows()
            ? new SettingsFolder(Below(Environment.SpecialFolder.CommonApplicationData, "Hammer2"), true)
            : new SettingsFolder("/etc/hammer2", true);

    /// <summary>The folder of the machine, or of the user.</summary>
    public static SettingsFolder Of(bool system) => system ? OfSystem() : OfUser();

    /// <summary>Reads a file; null when there is none.</summary>
    /// <exception cref="CliException">It is not what it should be.</exception>
    public T? Read<T>(string name)
        where T : class
    {
        string file = System.IO.Path.Combine(path, name);
        try
        {
            if (!File.Exists(file))
                return null;
            if (isSystem && OperatingSystem.IsWindows() && !BelongsToAdministrators(file))
                throw new CliException(ExitCode.Partial, $"{file} is not used: it does not belong to an administrator");
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(file), ResultWriter.Shapes);
        }
        catch (JsonException failure)
        {
            throw new CliException(ExitCode.Partial, $"{file} is not what hammer2 writes there: {failure.Message}", failure);
        }
    }

    /// <summary>Changes a file; other processes that want to wait meanwhile.</summary>
    public void Change<T>(string name, Func<T?, T> change)
        where T : class
    {
        try
        {
            MakeFolder();
            using FileStream turn = TakeTurn(System.IO.Path.Combine(path, name + ".lock"));
            string file = System.IO.Path.Combine(path, name);
            byte[] text = JsonSerializer.SerializeToUtf8Bytes(change(Read<T>(name)), s_indented);
            using (var written = new FileStream(file + ".new", FileMode.Create, FileAccess.Write))
            {
                written.Write(text);
                written.Flush(flushToDisk: true);
            }

            File.Move(file + ".new", file, overwrite: true);
        }
        catch (UnauthorizedAccessException failure)
        {
            throw new CliException(ExitCode.Partial, isSystem ? $"{path} can be changed by administrators only" : failure.Message, failure);
        }
    }

    private static readonly JsonSerializerOptions s_indented = new(ResultWriter.Shapes) { WriteIndented = true };

    private static string Below(Environment.SpecialFolder folder, string name)
    {
        string root = Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
        return root.Length > 0 ? System.IO.Path.Combine(root, name) : throw new CliException(ExitCode.Partial, $"this user has no folder for settings; name one in {Variable}");
    }

    private void MakeFolder()
    {
        if (isSystem && OperatingSystem.IsWindows())
            MakeFolderOfAdministrators(path);
        else
            Directory.CreateDirectory(path);
    }

    // %ProgramData% lets everybody make folders; this one is for administrators to write and for all to read.
    [SupportedOSPlatform("windows")]
    private static void MakeFolderOfAdministrators(string folder)
    {
        var administrators = new SecurityIdentifier(WellKnownSidType.BuiltinAdministratorsSid, null);
        var access = new DirectorySecurity();
        access.SetAccessRuleProtection(isProtected: true, preserveInheritance: false);
        access.SetOwner(administrators);
        const InheritanceFlags below = InheritanceFlags.ContainerInherit | InheritanceFlags.ObjectInherit;
        foreach (var (who, rights) in new[]
        {
            (WellKnownSidType.BuiltinAdministratorsSid, FileSystemRights.FullControl),
            (WellKnownSidType.LocalSystemSid, FileSystemRights.FullControl),
            (WellKnownSidType.BuiltinUsersSid, FileSystemRights.ReadAndExecute),
        })
        {
            access.AddAccessRule(new FileSystemAccessRule(new SecurityIdentifier(who, null), rights, below, PropagationFlags.None, AccessControlType.Allow));
        }

        var directory = new DirectoryInfo(folder);
        if (directory.Exists)
            directory.SetAccessControl(access);
        else
            directory.Create(access);
    }

    [SupportedOSPlatform("windows")]
    private static bool BelongsToAdministrators(string file) =>
        new FileInfo(file).GetAccessControl(AccessControlSections.Owner).GetOwner(typeof(SecurityIdentifier)) is SecurityIdentifier owner
        && (owner.IsWellKnown(WellKnownSidType.BuiltinAdministratorsSid) || owner.IsWellKnown(WellKnownSidType.LocalSystemSid)
            || owner.IsWellKnown(WellKnownSidType.AccountAdministratorSid));

    private static FileStream TakeTurn(string file)
    {
        DateTime end = DateTime.UtcNow + s_patience;
        using var never = new ManualResetEvent(false);
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (DateTime.UtcNow < end && File.Exists(file))
            {
                // Another process is changing the settings right now.
                never.WaitOne(s_pause);
            }
        }
    }
}
