// The medium as an address space when its headers may be gone: what they still say is believed as far as it is possible, else
// the devices follow each other as given. Invariants: never writes; an address outside is refused, never wrapped. Owns the
// devices. May call Devices and Format.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>Addresses of a medium whose headers need not be valid.</summary>
internal sealed class RecoverySpace : IDisposable
{
    private readonly Part[] _parts;

    private RecoverySpace(Part[] parts, bool isGuess)
    {
        (_parts, IsGuess) = (parts, isGuess);
        Length = parts.Sum(static part => part.Length);
    }

    /// <summary>Bytes to look at.</summary>
    internal long Length { get; }

    /// <summary>No header said where the devices belong.</summary>
    internal bool IsGuess { get; }

    internal IReadOnlyList<Part> Parts => _parts;

    internal static RecoverySpace Over(IReadOnlyList<IBlockDevice> devices)
    {
        if (devices.Count is 0 or > FormatLimits.VolumesMax)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"A filesystem has 1 to 64 volumes, not {devices.Count}.");
        var headers = devices.Select(static device => VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))?.Header).ToList();
        Part[]? known = headers.TrueForAll(static header => header is not null) ? ByHeaders(devices, headers!) : null;
        return new RecoverySpace(known ?? InOrder(devices), known is null);
    }

    /// <summary>True when the range lies inside one device.</summary>
    internal bool Contains(ulong offset, int length) => Find(offset, length) is not null;

    /// <exception cref="Hammer2Exception"><c>Io</c>.</exception>
    internal void Read(ulong offset, Span<byte> buffer)
    {
        Part part = Find(offset, buffer.Length)
            ?? throw new Hammer2Exception(Hammer2Error.Io, $"Address 0x{offset:x} ({buffer.Length} bytes) lies outside the medium.");
        part.Device.Read((long)offset - part.Start, buffer);
    }

    /// <summary>Reads a block and compares its check code; false: unreadable, or not what the reference is about.</summary>
    internal bool TryRead(in BlockRef bref, Span<byte> block)
    {
        PhysicalOffset at = bref.Physical;
        if (!at.IsLegal || !Checks.IsKnown(bref.CheckMethod) || !Contains(at.Offset, at.Bytes))
            return false;
        try
        {
            Read(at.Offset, block[..at.Bytes]);
        }
        catch (Hammer2Exception)
        {
            // Unreadable is what the caller is told.
            return false;
        }

        return Checks.Matches(bref, block[..at.Bytes]);
    }

    public void Dispose()
    {
        foreach (Part part in _parts)
            part.Device.Dispose();
    }

    // A smaller filesystem may have been made over a larger one, so the last volume is as long as its device.
    private static Part[]? ByHeaders(IReadOnlyList<IBlockDevice> devices, List<VolumeHeader> headers)
    {
        var parts = new List<Part>();
        for (int i = 0; i < devices.Count; i++)
        {
            ulong start = headers[i].Version >= 2 && headers[i].VolumeId < FormatLimits.VolumesMax ? headers[i].VolumeOffset(headers[i].VolumeId) : 0;
            if (start > long.MaxValue / 2 || devices[i].Length > long.MaxValue / 2)
                return null;
            parts.Add(new Part(devices[i], (long)start, devices[i].Length));
        }

        parts.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        for (int i = 0; i + 1 < parts.Count; i++)
        {
            if (parts[i + 1].Start <= parts[i].Start)
                return null;
            parts[i] = parts[i] with { Length = Math.Min(parts[i].Length, parts[i + 1].Start - parts[i].Start) };
        }

        return [.. parts];
    }

    private static Part[] InOrder(IReadOnlyList<IBlockDevice> devices)
    {
        var parts = new Part[devices.Count];
        long start = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            // Every volume but the last is cut to whole zones when it is formatted.
            long length = devices[i].Length;
            if (i + 1 < parts.Length && length >= FormatLimits.ZoneBytes)
                length -= length % FormatLimits.ZoneBytes;
            parts[i] = new Part(devices[i], start, length);
            start += length;
        }

        return parts;
    }

    private Part? Find(ulong offset, int length)
    {
        foreach (Part part in _parts)
        {
            if (offset >= (ulong)part.Start && offset - (ulong)part.Start < (ulong)part.Length)
                return (ulong)length <= (ulong)part.Length - (offset - (ulong)part.Start) ? part : null;
        }

        return null;
    }

    /// <summary>One device in the space.</summary>
    internal sealed record Part(IBlockDevice Device, long Start, long Length);
}
