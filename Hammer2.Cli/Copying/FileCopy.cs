// Copies the bytes of one file. Invariants: the new file never looks finished when it is not: its time is set
// last, and a file with an unreadable range is deleted, or kept as NAME.partial with a hole for each such
// range. Holes of the image and runs of zeros become holes of the copy.

using System.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>Copies one file.</summary>
internal sealed class FileCopy(
    Vnode source, SafeFileHandle target, ICopyDestination destination, Action<long> progress, CancellationToken stop)
{
    private const int BufferBytes = 1 << 20;
    private const int HoleBytes = FormatLimits.LogicalBlockBytes;

    private bool _hasHoles;

    /// <summary>Ranges that could not be read, when the copy goes on past damage.</summary>
    public List<(long Offset, long Length)> Unreadable { get; } = [];

    public Hammer2Exception? FirstDamage { get; private set; }

    /// <summary>Copies all bytes.</summary>
    /// <param name="goesOn">Passes over damaged blocks; else the first one throws.</param>
    public void Run(long size, bool goesOn)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long offset = 0;
            while (offset < size)
            {
                stop.ThrowIfCancellationRequested();
                long data = NextData(offset, size);
                if (data > offset)
                    NoteHole();
                progress(data - offset);
                offset = data;
                if (offset < size)
                    offset += CopyPiece(offset, size, buffer, goesOn);
            }

            RandomAccess.SetLength(target, size);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private int CopyPiece(long offset, long size, byte[] buffer, bool goesOn)
    {
        // Pieces end on block boundaries, so that the next one begins with a whole block.
        int wanted = (int)Math.Min(BufferBytes - offset % HoleBytes, size - offset);
        try
        {
            int read = source.Read(offset, buffer.AsSpan(0, wanted));
            if (read == 0)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"the file ends at byte {offset}, its inode says {size}");
            WriteData(offset, buffer.AsSpan(0, read));
            progress(read);
            return read;
        }
        catch (Hammer2Exception) when (goesOn && wanted > HoleBytes)
        {
            // One block of many is bad: again, block by block.
            return CopyBlock(offset, Math.Min(wanted, HoleBytes - (int)(offset % HoleBytes)), buffer);
        }
        catch (Hammer2Exception failure) when (goesOn)
        {
            PassOver(offset, wanted, failure);
            return wanted;
        }
    }

    private int CopyBlock(long offset, int wanted, byte[] buffer)
    {
        try
        {
            int read = source.Read(offset, buffer.AsSpan(0, wanted));
            WriteData(offset, buffer.AsSpan(0, read));
        }
        catch (Hammer2Exception failure)
        {
            PassOver(offset, wanted, failure);
            return wanted;
        }

        progress(wanted);
        return wanted;
    }

    private void PassOver(long offset, int length, Hammer2Exception failure)
    {
        FirstDamage ??= failure;
        NoteHole();
        progress(length);
        if (Unreadable.Count > 0 && Unreadable[^1].Offset + Unreadable[^1].Length == offset)
            Unreadable[^1] = (Unreadable[^1].Offset, Unreadable[^1].Length + length);
        else
            Unreadable.Add((offset, length));
    }

    private void WriteData(long offset, ReadOnlySpan<byte> data)
    {
        int start = 0;
        while (start < data.Length)
        {
            int end = start;
            while (end < data.Length && !IsZero(Block(data, end)))
                end += Block(data, end).Length;
            if (end > start)
                RandomAccess.Write(target, data[start..end], offset + start);
            if (end < data.Length)
            {
                NoteHole();
                end += Block(data, end).Length;
            }

            start = end;
        }
    }

    private static ReadOnlySpan<byte> Block(ReadOnlySpan<byte> data, int at) =>
        data.Slice(at, Math.Min(HoleBytes, data.Length - at));

    private static bool IsZero(ReadOnlySpan<byte> block) => !block.ContainsAnyExcept((byte)0);

    private void NoteHole()
    {
        if (_hasHoles)
            return;
        _hasHoles = true;
        destination.AllowHoles(target);
    }

    private long NextData(long offset, long size)
    {
        try
        {
            return source.NextData(offset) ?? size;
        }
        catch (Hammer2Exception)
        {
            // The map of the file is damaged here: reading tells which bytes are lost.
            return offset;
        }
    }
}
