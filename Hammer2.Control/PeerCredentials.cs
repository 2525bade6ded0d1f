// Who is at the other end of a Unix socket, and who owns a file. The kernel says it; what a client says about itself is
// not asked. Calls libc.

using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Hammer2.Control;

/// <summary>Facts of the kernel about users.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class PeerCredentials
{
    private const int SocketLevel = 1;
    private const int PeerCredentialsOption = 17;
    private const int CredentialBytes = 12;
    private const int CurrentDirectory = -100;
    private const int NoFollow = 0x100;
    private const uint BasicStatistics = 0x7FF;
    private const int StatisticsBytes = 256;
    private const int UserOffset = 20;

    /// <summary>Effective user of the process that connected.</summary>
    public static uint UserOf(Socket peer)
    {
        Span<byte> credentials = stackalloc byte[CredentialBytes];
        _ = peer.GetRawSocketOption(SocketLevel, PeerCredentialsOption, credentials);
        return MemoryMarshal.Read<uint>(credentials[4..]);
    }

    /// <summary>Owner of a path, links not followed; null when it cannot be told.</summary>
    public static uint? OwnerOf(string path)
    {
        Span<byte> statistics = stackalloc byte[StatisticsBytes];
        return StatX(CurrentDirectory, path, NoFollow, BasicStatistics, ref MemoryMarshal.GetReference(statistics)) == 0
            ? MemoryMarshal.Read<uint>(statistics[UserOffset..])
            : null;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte buffer);
}
