// Random programs over one volume against a model with NTFS rules (R07). Every worker rules a directory of its own, where
// each answer is known beforehand; all of them share the volume, its locks and its commits. The seed replays a run.
// HAMMER2_FUZZ_SECONDS makes it longer.

using DokanNet;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class RandomClientTests
{
    private const int OpensMax = 6;

    /// <summary>One program: it does something at random, asks the model what must come of it, and compares.</summary>
    private sealed class Worker(DokanVolume volume, string home, int seed)
    {
        private static readonly string[] s_names = ["a", "A", "bee", "BEE", "Sub", "sub", "deep", "file.txt", "FILE.TXT", "\u00C4rger", "\u00E4rger", "tmp"];
        private static readonly FileShare[] s_shares = [Win32Client.ShareAll, Win32Client.ShareAll, Win32Client.ShareAll, FileShare.ReadWrite, FileShare.Read, FileShare.None];
        private static readonly DokanNet.FileAccess[] s_accesses =
            [AllRead, AllRead | AllWrite, AllWrite, ToMove, ToMove, ToDelete, CanReadAttributes, ToList, AllRead | AllWrite | CanDelete];

        private readonly Random _random = new(seed);
        private readonly List<(SimulatedHandle Real, ModelHandle Model)> _opens = [];
        private string _did = "";

        internal NtfsModel Model { get; } = new();

        internal int Steps { get; private set; }

        internal void Step()
        {
            Steps++;
            try
            {
                if (_opens.Count >= OpensMax || (_opens.Count > 0 && _random.Next(5) == 0))
                    CloseOne(_random.Next(_opens.Count));
                else if (_opens.Count == 0 || _random.Next(2) == 0)
                    OpenOne();
                else
                    UseOne(_opens[_random.Next(_opens.Count)]);
            }
            catch (AssertFailedException failed)
            {
                throw new AssertFailedException($"{home}, step {Steps}, {_did}: {failed.Message}", failed);
            }
        }

        internal void CloseAll()
        {
            while (_opens.Count > 0)
                CloseOne(_opens.Count - 1);
        }

        private string Path()
        {
            int depth = _random.Next(1, 4);
            return string.Concat(Enumerable.Range(0, depth).Select(_ => @"\" + s_names[_random.Next(s_names.Length)]));
        }

        private static void Expect(NtStatus expected, NtStatus found) =>
            Assert.AreEqual((long)expected, (long)found, $"{(long)found:X8} instead of {(long)expected:X8}");

        private void OpenOne()
        {
            string path = Path();
            CreateDisposition disposition = (CreateDisposition)_random.Next(1, 6);
            DokanNet.FileAccess access = s_accesses[_random.Next(s_accesses.Length)];
            FileShare share = s_shares[_random.Next(s_shares.Length)];
            bool directory = _random.Next(3) == 0;
            bool onClose = !directory && _random.Next(12) == 0;
            if (onClose)
                access |= CanDelete;
            _did = $"{disposition} {path} {access} {share}{(directory ? " D" : "")}{(onClose ? " delete on close" : "")}";
            NtStatus expected = Model.Open(path, disposition, access, share, directory, onClose, out ModelHandle? model);
            OpenOutcome outcome = volume.C(
                home + path, disposition, access, share, directory, onClose ? FileOptions.DeleteOnClose : FileOptions.None);
            if (outcome.Handle is not null && model is not null)
                _opens.Add((outcome.Handle, model));
            else if (outcome.Handle is not null)
                volume.Close(outcome.Handle);
            Expect(expected, outcome.Status);
        }

        private void CloseOne(int which)
        {
            (SimulatedHandle real, ModelHandle model) = _opens[which];
            _did = $"close {model.Node.Path}";
            _opens.RemoveAt(which);
            NtfsModel.Close(model);
            volume.Close(real);
        }

        private void UseOne((SimulatedHandle Real, ModelHandle Model) open)
        {
            (SimulatedHandle real, ModelHandle model) = open;
            ModelNode node = model.Node;
            bool writes = (model.Access & CanWrite) != 0 && !node.IsDirectory;
            switch (_random.Next(7))
            {
                case 0 or 1 when writes:
                    Write(real, model);
                    break;
                case 2 when writes:
                    int length = _random.Next(1 << _random.Next(1, 18));
                    _did = $"size {length} {node.Path}";
                    NtfsModel.Resize(model, length);
                    Expect(NtStatus.Success, volume.Driver.SetEndOfFile(real, length));
                    break;
                case 3 when (model.Access & CanDelete) != 0:
                    bool delete = _random.Next(3) > 0;
                    _did = $"mark {node.Path} {delete}";
                    Expect(NtfsModel.Mark(model, delete), volume.Driver.SetDisposition(real, delete));
                    break;
                case 4 when (model.Access & CanDelete) != 0 && node.Parent is not null:
                    string target = Path();
                    bool replace = _random.Next(2) == 0;
                    _did = $"move {node.Path} to {target} {replace}";
                    Expect(Model.Move(model, target, replace), volume.Driver.MoveFile(real, home + target, replace));
                    break;
                case 5 when (model.Access & CanReadAttributes) != 0 && !node.IsDirectory:
                    FileAttributes attributes = _random.Next(4) switch { 0 => FileAttributes.ReadOnly, 1 => FileAttributes.Hidden, _ => FileAttributes.Archive };
                    _did = $"{attributes} {node.Path}";
                    Expect(NtStatus.Success, volume.Driver.SetBasic(real, attributes, null, null, null));
                    (node.IsReadOnly, node.IsHidden) = (attributes == FileAttributes.ReadOnly, attributes == FileAttributes.Hidden);
                    break;
                default:
                    Look(real, model);
                    break;
            }
        }

        private void Write(SimulatedHandle real, ModelHandle model)
        {
            byte[] bytes = DokanVolume.Noise(_random.Next(1, 1 << _random.Next(1, 17)), _random.Next());
            int length = model.Node.Data.Length;
            bool append = _random.Next(4) == 0;
            int offset = append ? length : _random.Next(length + 5000);
            bool paging = !append && _random.Next(4) == 0;
            _did = $"write {model.Node.Path} {offset},{bytes.Length}{(append ? " at the end" : "")}{(paging ? " paging" : "")}";
            NtStatus status = append
                ? volume.Driver.Append(real, bytes, out int written)
                : volume.Driver.Write(real, offset, bytes, out written, paging);
            Expect(NtStatus.Success, status);
            int expected = paging ? Math.Clamp(length - offset, 0, bytes.Length) : bytes.Length;
            Assert.AreEqual(expected, written);
            if (expected > 0)
                NtfsModel.Write(model, offset, bytes.AsSpan(0, expected));
        }

        private void Look(SimulatedHandle real, ModelHandle model)
        {
            ModelNode node = model.Node;
            _did = $"look at {node.Path}";
            ByHandleFileInformation information = volume.I(real);
            Assert.AreEqual(node.IsDirectory ? 0 : node.Data.Length, information.Length);
            Assert.AreEqual(node.IsReadOnly, (information.Attributes & FileAttributes.ReadOnly) != 0);
            if (node.IsDirectory && (model.Access & CanRead) != 0)
            {
                volume.Driver.QueryDirectory(real, "*", restart: true, 1000, out List<FindFileInformation> entries);
                CollectionAssert.AreEquivalent(
                    node.Children.Keys.ToArray(), entries.Select(e => e.FileName.ToString()).Where(n => n is not ("." or "..")).ToArray());
            }
            else if (!node.IsDirectory && (model.Access & CanRead) != 0)
            {
                var bytes = new byte[node.Data.Length + 10];
                volume.Driver.Read(real, 0, bytes, out int read, paging: _random.Next(2) == 0);
                Assert.IsTrue(bytes.AsSpan(0, read).SequenceEqual(node.Data), "other bytes");
            }
        }
    }

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(4, 1)]
    [DataRow(1, 4)]
    [DataRow(8, 8)]
    public void R07_R09_R14_RandomProgramsDoAsTheModelSays(int threads, int workers)
    {
        int seed = HammerSeed.Get();
        double seconds = HammerSeed.Seconds(2) / 2;
        DokanVolume? opened = null;
        try
        {
            DokanVolume v = opened = DokanVolume.New(threads, seed, volume: DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(150) });
            Worker[] all = [.. Enumerable.Range(0, workers).Select(i => new Worker(v, $@"\home{i}", seed + i))];
            for (int i = 0; i < workers; i++)
                v.MakeDirectory($@"\home{i}");
            for (int round = 0; round < 2; round++)
            {
                long until = Environment.TickCount64 + (long)(seconds * 1000);
                Task[] running = [.. all.Select(worker => Task.Factory.StartNew(
                    () =>
                    {
                        while (Environment.TickCount64 < until)
                            worker.Step();
                        worker.CloseAll();
                    },
                    TaskCreationOptions.LongRunning))];
                Task.WaitAll(running);
                v.Twice(v => Compare(v, all));
            }

            Console.WriteLine($"{all.Sum(worker => worker.Steps)} steps of {workers} workers");
        }
        catch (Exception failed) when (failed is AssertFailedException or AggregateException)
        {
            opened?.GiveUp();
            string why = failed is AggregateException many ? string.Join("; ", many.Flatten().InnerExceptions.Select(e => e.Message)) : failed.Message;
            throw new AssertFailedException($"seed {seed}: {why}", failed);
        }
        finally
        {
            opened?.Dispose();
        }
    }

    /// <summary>Moves over whatever is there.</summary>
    private sealed class ReplacingOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus MoveFile(
            ReadOnlyNativeMemory<char> oldNamePtr, ReadOnlyNativeMemory<char> newNamePtr, bool replace, ref DokanFileInfo info) =>
            base.MoveFile(oldNamePtr, newNamePtr, replace: true, ref info);
    }

    /// <summary>Forgets the last byte of every paging write.</summary>
    private sealed class ForgetfulOperations(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus WriteFile(
            ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<byte> buffer, out int bytesWritten, long offset, ref DokanFileInfo info)
        {
            if (!info.PagingIo || buffer.Length < 2)
                return base.WriteFile(fileNamePtr, buffer, out bytesWritten, offset, ref info);
            var shorter = new ReadOnlyNativeMemory<byte>(buffer.Address, buffer.Length - 1);
            NtStatus status = base.WriteFile(fileNamePtr, shorter, out bytesWritten, offset, ref info);
            bytesWritten += bytesWritten == shorter.Length ? 1 : 0;
            return status;
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void AWrongAdapterIsNoticed(bool forgets)
    {
        int seed = HammerSeed.Get();
        using DokanVolume v = DokanVolume.New(
            wrap: inner => forgets ? new ForgetfulOperations(inner) : new ReplacingOperations(inner));
        v.GiveUp();
        v.MakeDirectory(@"\home");
        var worker = new Worker(v, @"\home", seed);
        string caught = "";
        while (caught.Length == 0 && worker.Steps < 100_000)
        {
            try
            {
                worker.Step();
            }
            catch (AssertFailedException found)
            {
                caught = found.Message;
            }
        }

        Assert.Contains(forgets ? "look at" : "move", caught, $"seed {seed}");
    }

    private static void Compare(DokanVolume v, Worker[] all)
    {
        for (int i = 0; i < all.Length; i++)
        {
            var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
            Collect(v, $@"\home{i}", "", found);
            string[] expected = [.. all[i].Model.Tree().Select(pair => $"{pair.Key}: {pair.Value}")];
            CollectionAssert.AreEqual(expected, found.Select(pair => $"{pair.Key}: {pair.Value}").ToArray());
        }
    }

    private static void Collect(DokanVolume v, string home, string below, SortedDictionary<string, string> found)
    {
        foreach (FindFileInformation entry in v.Client.FindAll(home + below, "*", out _))
        {
            string path = $@"{below}\{entry.FileName}";
            if (entry.FileName.ToString() is "." or "..")
                continue;
            bool directory = (entry.Attributes & FileAttributes.Directory) != 0;
            byte[] data = directory ? [] : v.Client.ReadAll(home + path);
            found.Add(
                directory ? path + @"\" : path,
                NtfsModel.Describe(data, (entry.Attributes & FileAttributes.ReadOnly) != 0, (entry.Attributes & FileAttributes.Hidden) != 0, directory));
            if (directory)
                Collect(v, home, path, found);
        }
    }
}
