// The Windows-only remainder of security: who mounts, and the .NET object that DokanNet wants around the bytes.
// Invariant: nothing is decided here; the bytes come from and go to SecurityDescriptorBytes, which is tested everywhere.
// Calls the .NET security classes, which exist on Windows alone.

using System.Runtime.Versioning;
using System.Security.AccessControl;
using System.Security.Principal;
using DokanNet;

namespace Hammer2.Dokan.Security;

/// <summary>Bridges to the security classes of Windows.</summary>
[SupportedOSPlatform("windows")]
internal static class WindowsSecurity
{
    /// <summary>Puts descriptor bytes into the class that fits the object.</summary>
    internal static FileSystemSecurity FromBytes(byte[] descriptor, bool isDirectory)
    {
        FileSystemSecurity security = isDirectory ? new DirectorySecurity() : new FileSecurity();
        security.SetSecurityDescriptorBinaryForm(descriptor);
        return security;
    }

    /// <summary>The bytes of a descriptor that a program sets.</summary>
    internal static byte[] ToBytes(FileSystemSecurity security) => security.GetSecurityDescriptorBinaryForm();

    /// <summary>Who made the request; only while CreateFile runs. Null when Windows does not say.</summary>
    internal static Requestor? RequestorOf(ref DokanFileInfo info)
    {
        using WindowsIdentity identity = info.GetRequestor();
        if (identity.User is not { } user)
            return null;
        var groups = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (IdentityReference group in identity.Groups ?? [])
            groups.Add(group.Value);
        return new Requestor(user.Value, groups);
    }

    /// <summary>The SID of the user who runs this process.</summary>
    internal static string CurrentUserSid()
    {
        using WindowsIdentity identity = WindowsIdentity.GetCurrent();
        return identity.User?.Value ?? SecurityIdentifierBytes.LocalSystem;
    }
}
