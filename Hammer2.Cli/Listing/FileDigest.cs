// SHA-256 of a file's bytes. Holes cost nothing but the hashing of zeros. Invariant: a digest covers every byte or
// there is none: the first unreadable block throws.
// May call the engine's PFS.

using System.Buffers;
using System.Security.Cryptography;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>Hashes files.</summary>
internal static class FileDigest
{
    private const int BufferBytes = 1 << 20;

    /// <summary>The lower-case hex digest of all bytes.</summary>
    /// <exception cref="Hammer2Exception">A byte of the file cannot be read.</exception>
    public static string Sha256(PfsMount pfs, ulong inodeNumber, CancellationToken stop)
    {
        Hammer2Error error = pfs.TryOpen(inodeNumber, out Vnode? node);
        if (error != Hammer2Error.None || node is null)
            throw new Hammer2Exception(error, ErrorText.OfEntry(error));
        using (node)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
            try
            {
                for (long offset = 0; ;)
                {
                    stop.ThrowIfCancellationRequested();
                    int read = node.Read(offset, buffer.AsSpan(0, BufferBytes));
                    if (read == 0)
                        return Convert.ToHexStringLower(hash.GetHashAndReset());
                    hash.AppendData(buffer, 0, read);
                    offset += read;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
