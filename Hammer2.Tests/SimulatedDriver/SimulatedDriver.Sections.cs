// Mapped files: sections, their pages, and paging I/O, which comes before Cleanup and after it (dokan-semantics A.0.8, A.2,
// B.11, B.16, B.17). Part of the simulated driver. Paging is done through any open of the file that is still there, as the
// memory manager does; a page that was lost is a fault of the adapter.

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>A mapped view of a file.</summary>
internal sealed record MappedView(SimulatedHandle Handle, long Length, bool Writable, bool Image);

internal sealed partial class SimulatedDriver
{
    private int _pagingTurn;

    /// <summary>CreateFileMapping and MapViewOfFile: the size is asked for, and the file stays alive after its handle.</summary>
    internal NtStatus Map(SimulatedHandle handle, out MappedView? view, bool writable = false, bool image = false)
    {
        view = null;
        NtStatus status = QueryInformation(handle, out ByHandleFileInformation information);
        if (status != NtStatus.Success)
            return status;
        view = new MappedView(handle, information.Length, writable, image);
        lock (_gate)
        {
            handle.Sections++;
            ControlBlock block = handle.Block;
            block.WritableSections += writable ? 1 : 0;
            block.ImageSections += image ? 1 : 0;
            block.MappedLength = Math.Max(block.MappedLength, information.Length);
        }

        return NtStatus.Success;
    }

    /// <summary>A program reads what it mapped.</summary>
    internal byte[] Load(MappedView view, long offset, int count)
    {
        var bytes = new byte[count];
        for (int done = 0; done < count;)
        {
            long page = (offset + done) / MappedPages.PageBytes;
            int at = (int)((offset + done) % MappedPages.PageBytes);
            int part = Math.Min(count - done, MappedPages.PageBytes - at);
            Fault(view, page).AsSpan(at, part).CopyTo(bytes.AsSpan(done));
            done += part;
        }

        return bytes;
    }

    /// <summary>A program stores into what it mapped.</summary>
    internal void Store(MappedView view, long offset, ReadOnlySpan<byte> bytes)
    {
        Assert.IsTrue(view.Writable && offset + bytes.Length <= view.Length, "the test stores outside its view");
        while (!bytes.IsEmpty)
        {
            long page = offset / MappedPages.PageBytes;
            int at = (int)(offset % MappedPages.PageBytes);
            int part = Math.Min(bytes.Length, MappedPages.PageBytes - at);
            Fault(view, page);
            view.Handle.Block.Pages.Store(page, at, bytes[..part]);
            bytes = bytes[part..];
            offset += part;
        }
    }

    /// <summary>FlushViewOfFile: dirty pages go to the adapter; nothing is made durable by it.</summary>
    internal void FlushView(MappedView view) => FlushPages(view.Handle.Block);

    /// <summary>UnmapViewOfFile: with the last view of the file its pages go, dirty ones to the adapter first.</summary>
    internal void Unmap(MappedView view)
    {
        ControlBlock block = view.Handle.Block;
        FlushPages(block);
        bool close;
        lock (_gate)
        {
            view.Handle.Sections--;
            block.WritableSections -= view.Writable ? 1 : 0;
            block.ImageSections -= view.Image ? 1 : 0;
            if (!_handles.Keys.Any(handle => handle.Block == block && handle.Sections > 0))
            {
                block.MappedLength = 0;
                block.Pages.Clear();
            }

            close = MayClose(view.Handle);
        }

        if (close)
            OnPump(() => CloseFile(view.Handle));
    }

    /// <summary>Maps the file without looking at it: it stays alive after its handle.</summary>
    internal void MapSection(SimulatedHandle handle)
    {
        lock (_gate)
            handle.Sections++;
    }

    /// <summary>Unmaps a section that was not looked at.</summary>
    internal void UnmapSection(SimulatedHandle handle)
    {
        bool close;
        lock (_gate)
        {
            handle.Sections--;
            close = MayClose(handle);
        }

        if (close)
            OnPump(() => CloseFile(handle));
    }

    /// <summary>Writes back the dirty pages of a file.</summary>
    private void FlushPages(ControlBlock block)
    {
        while (!_unmounting && block.Pages.TakeDirty() is var (offset, bytes))
        {
            if (PagingHandle(block) is not { } handle)
                return;
            NtStatus status = WriteEvent(handle, offset, bytes, out _, paging: true, toEnd: false);
            if (status is not (NtStatus.Success or NtStatus.NoSuchDevice))
                Faults.Add($"mapped pages of {block.Name} were lost: {(long)status:X8}");
        }
    }

    /// <summary>A page, read by paging I/O when it is not here.</summary>
    private byte[] Fault(MappedView view, long page)
    {
        MappedPages pages = view.Handle.Block.Pages;
        if (pages.Find(page) is { } found)
            return found;
        var bytes = new byte[MappedPages.PageBytes];
        NtStatus status = Read(PagingHandle(view.Handle.Block) ?? view.Handle, page * MappedPages.PageBytes, bytes, out _, paging: true);
        if (status is not (NtStatus.Success or NtStatus.EndOfFile or NtStatus.NoSuchDevice))
            Faults.Add($"a page of {view.Handle.Block.Name} could not be read: {(long)status:X8}");
        pages.Keep(page, bytes);
        return pages.Find(page) ?? bytes;
    }

    /// <summary>Any open of the file that is not closed, the next one each time: paging is not bound to a handle.</summary>
    private SimulatedHandle? PagingHandle(ControlBlock block)
    {
        SimulatedHandle[] opens = [.. _handles.Keys.Where(handle => handle.Block == block && handle is { Closed: false, Context: not 0 })];
        return opens.Length == 0 ? null : opens[(uint)Interlocked.Increment(ref _pagingTurn) % (uint)opens.Length];
    }
}
