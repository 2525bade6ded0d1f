// Where a mount listens: a Unix socket in a folder that only its user can enter, or a named pipe whose access list has its
// user and the administrators. The name is made of a hash of the volume's files and of the process, so that a client that
// knows the volume finds every process that has it open. Invariants: a folder that is not ours alone is never used; a socket
// that nobody answers at is removed by whoever meets it.

using System.Globalization;
using System.IO.Pipes;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Hammer2.Control;

/// <summary>The address of a mount's control channel.</summary>
/// <param name="Address">Path of the socket, or name of the pipe.</param>
public sealed record ControlEndpoint(string Address)
{
    private const string Prefix = "hammer2-";
    private const string SocketSuffix = ".sock";
    private const string PipeFolder = @"\\.\pipe\";

    /// <summary>The endpoint of this process for a volume.</summary>
    /// <param name="volumeFiles">Absolute paths of the volume's files or devices, in any order.</param>
    public static ControlEndpoint OfThisProcess(IEnumerable<string> volumeFiles)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{HashOf(volumeFiles)}-{Environment.ProcessId}");
        return OperatingSystem.IsWindows()
            ? new ControlEndpoint(name)
            : new ControlEndpoint(Path.Combine(ControlFolder.OfThisUser(), name + SocketSuffix));
    }

    /// <summary>Every endpoint that there may be for a volume, of every user whom this one may ask.</summary>
    public static IReadOnlyList<ControlEndpoint> Find(IEnumerable<string> volumeFiles)
    {
        string pattern = $"{Prefix}{HashOf(volumeFiles)}-";
        if (OperatingSystem.IsWindows())
        {
            return [.. PipesOfThisMachine()
                .Select(static path => Path.GetFileName(path))
                .Where(name => name.StartsWith(pattern, StringComparison.Ordinal))
                .Select(static name => new ControlEndpoint(name))];
        }

        return [.. ControlFolder.OfAnyUser()
            .SelectMany(folder => Directory.EnumerateFiles(folder, pattern + "*" + SocketSuffix))
            .Order(StringComparer.Ordinal)
            .Select(static path => new ControlEndpoint(path))];
    }

    /// <summary>The process that listens there.</summary>
    public int ProcessId
    {
        get
        {
            string name = Path.GetFileNameWithoutExtension(Address);
            return int.TryParse(name.AsSpan(name.LastIndexOf('-') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : 0;
        }
    }

    /// <summary>Connects, or returns null when nobody listens there any more.</summary>
    /// <exception cref="UnauthorizedAccessException">Only its user and administrators may.</exception>
    internal async Task<Stream?> ConnectAsync(TimeSpan patience, CancellationToken stop)
    {
        if (OperatingSystem.IsWindows())
        {
            var pipe = new NamedPipeClientStream(".", Address, PipeDirection.InOut, PipeOptions.Asynchronous);
            try
            {
                await pipe.ConnectAsync(patience, stop).ConfigureAwait(false);
                return pipe;
            }
            catch (TimeoutException)
            {
                await pipe.DisposeAsync().ConfigureAwait(false);
                return null;
            }
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Address), stop).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException failure)
        {
            socket.Dispose();
            if (failure.SocketErrorCode == SocketError.AccessDenied)
                throw new UnauthorizedAccessException("only the user who mounted it and root may talk to this mount", failure);
            // Left behind by a process that was killed.
            File.Delete(Address);
            return null;
        }
    }

    // Wine has pipes but no list of them. Without a list nobody is found, as when nobody listens.
    private static string[] PipesOfThisMachine()
    {
        try
        {
            return Directory.GetFiles(PipeFolder);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string HashOf(IEnumerable<string> volumeFiles)
    {
        string joined = string.Join('\0', volumeFiles.Select(Canonical).Order(StringComparer.Ordinal));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(joined)))[..16];
    }

    private static string Canonical(string path)
    {
        string full = VolumeFiles.RealPath(path);
        return OperatingSystem.IsWindows() ? full.ToUpperInvariant() : full;
    }
}
