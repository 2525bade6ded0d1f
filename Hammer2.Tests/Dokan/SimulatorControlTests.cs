// Negative controls of the simulated driver: an adapter that breaks one rule on purpose must be caught, each with the
// sentence that names its rule. Without these a green run would prove nothing.

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using LTRData.Extensions.Native.Memory;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class SimulatorControlTests
{
    private const FileAccess RA = FileAccess.ReadAttributes;
    private const FileAccess GR = Win32Client.GenericRead;

    /// <summary>Ways of being wrong.</summary>
    public enum Wrong
    {
        Throws,
        AnswersPending,
        AnswersNotImplemented,
        ReadsTooMuch,
        ReportsBytesWithAnError,
        OverrunsTheBuffer,
        ClearsTheContext,
        KeepsContextOfAFailedOpen,
        DeniesADelete,
        ForgetsIsDirectory,
        ListsTwice,
        ListsUnfiltered,
        ListsNull,
        ListsDotsInTheRoot,
        ZeroAttributes,
        ZeroIndex,
        LocalTimes,
        NoSerial,
        LongLabel,
        SpaceUpsideDown,
    }

    private sealed class WrongOperations(IDokanOperations2 inner, Wrong wrong) : DelegatingOperations(inner)
    {
        public override NtStatus CreateFile(
            ReadOnlyNativeMemory<char> fileNamePtr, FileAccess access, FileShare share, FileMode mode, FileOptions options,
            FileAttributes attributes, ref DokanFileInfo info)
        {
            if (wrong == Wrong.DeniesADelete && (access & FileAccess.Delete) != 0)
                return NtStatus.AccessDenied;
            NtStatus status = base.CreateFile(fileNamePtr, access, share, mode, options, attributes, ref info);
            if (wrong == Wrong.ForgetsIsDirectory)
                info.IsDirectory = false;
            if (wrong == Wrong.KeepsContextOfAFailedOpen && status != NtStatus.Success)
                info.Context = this;
            return status;
        }

        public override void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
        {
            base.Cleanup(fileNamePtr, ref info);
            if (wrong == Wrong.ClearsTheContext)
            {
                base.CloseFile(fileNamePtr, ref info);
                info.Context = null;
            }
        }

        public override NtStatus ReadFile(
            ReadOnlyNativeMemory<char> fileNamePtr, NativeMemory<byte> buffer, out int bytesRead, long offset,
            ref DokanFileInfo info)
        {
            NtStatus status = base.ReadFile(fileNamePtr, buffer, out bytesRead, offset, ref info);
            switch (wrong)
            {
                case Wrong.Throws:
                    throw new InvalidOperationException("on purpose");
                case Wrong.AnswersPending:
                    return NtStatus.Pending;
                case Wrong.AnswersNotImplemented:
                    return NtStatus.NotImplemented;
                case Wrong.ReadsTooMuch:
                    bytesRead = buffer.Length + 1;
                    break;
                case Wrong.ReportsBytesWithAnError:
                    return NtStatus.CrcError;
                case Wrong.OverrunsTheBuffer:
                    new NativeMemory<byte>(buffer.Address, buffer.Length + 1).Span[buffer.Length] = 1;
                    break;
            }

            return status;
        }

        public override NtStatus GetFileInformation(
            ReadOnlyNativeMemory<char> fileNamePtr, out ByHandleFileInformation fileInfo, ref DokanFileInfo info)
        {
            NtStatus status = base.GetFileInformation(fileNamePtr, out fileInfo, ref info);
            if (wrong == Wrong.ZeroAttributes)
                fileInfo.Attributes = 0;
            if (wrong == Wrong.ZeroIndex)
                fileInfo.FileIndex = 0;
            if (wrong == Wrong.LocalTimes)
                fileInfo.LastWriteTime = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Local);
            return status;
        }

        public override NtStatus FindFilesWithPattern(
            ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<char> searchPatternPtr,
            out IEnumerable<FindFileInformation> files, ref DokanFileInfo info)
        {
            NtStatus status = wrong == Wrong.ListsUnfiltered
                ? base.FindFiles(fileNamePtr, out files, ref info)
                : base.FindFilesWithPattern(fileNamePtr, searchPatternPtr, out files, ref info);
            files = wrong switch
            {
                Wrong.ListsTwice => [.. files, .. files],
                Wrong.ListsNull => null!,
                Wrong.ListsDotsInTheRoot => [new FindFileInformation { FileName = ".".AsMemory(), Attributes = FileAttributes.Directory }, .. files],
                _ => files,
            };
            return status;
        }

        public override NtStatus GetVolumeInformation(
            NativeMemory<char> volumeLabel, out FileSystemFeatures features, NativeMemory<char> fileSystemName,
            out uint maximumComponentLength, ref uint volumeSerialNumber, ref DokanFileInfo info)
        {
            NtStatus status = base.GetVolumeInformation(volumeLabel, out features, fileSystemName, out maximumComponentLength, ref volumeSerialNumber, ref info);
            if (wrong == Wrong.NoSerial)
                volumeSerialNumber = 0;
            if (wrong == Wrong.LongLabel)
                volumeLabel.SetString(new string('x', 60).AsSpan());
            return status;
        }

        public override NtStatus GetDiskFreeSpace(
            out long freeBytesAvailable, out long totalNumberOfBytes, out long totalNumberOfFreeBytes, ref DokanFileInfo info)
        {
            NtStatus status = base.GetDiskFreeSpace(out freeBytesAvailable, out totalNumberOfBytes, out totalNumberOfFreeBytes, ref info);
            if (wrong == Wrong.SpaceUpsideDown)
                freeBytesAvailable = totalNumberOfBytes + 1;
            return status;
        }
    }

    [TestMethod]
    [DataRow(Wrong.Throws, "left the callback")]
    [DataRow(Wrong.AnswersPending, "Pending was answered")]
    [DataRow(Wrong.AnswersNotImplemented, "NotImplemented was answered")]
    [DataRow(Wrong.ReadsTooMuch, "bytes of a buffer of")]
    [DataRow(Wrong.ReportsBytesWithAnError, "beside an error")]
    [DataRow(Wrong.OverrunsTheBuffer, "wrote outside its buffer")]
    [DataRow(Wrong.ClearsTheContext, "the context changed")]
    [DataRow(Wrong.KeepsContextOfAFailedOpen, "but left a context")]
    [DataRow(Wrong.DeniesADelete, "makes the library open the parent")]
    [DataRow(Wrong.ForgetsIsDirectory, "do not fit IsDirectory")]
    [DataRow(Wrong.ListsTwice, "is listed twice")]
    [DataRow(Wrong.ListsUnfiltered, "does not match")]
    [DataRow(Wrong.ListsNull, "the list was null")]
    [DataRow(Wrong.ListsDotsInTheRoot, "the root lists dots")]
    [DataRow(Wrong.ZeroAttributes, "attributes 0")]
    [DataRow(Wrong.ZeroIndex, "file index 0")]
    [DataRow(Wrong.LocalTimes, "is not UTC")]
    [DataRow(Wrong.NoSerial, "serial number is 0")]
    [DataRow(Wrong.LongLabel, "the label has 60 units")]
    [DataRow(Wrong.SpaceUpsideDown, "does not hold")]
    public void AWrongAdapterIsCaught(Wrong wrong, string sentence)
    {
        AssertFailedException caught = Assert.ThrowsExactly<AssertFailedException>(() =>
        {
            using DokanVolume volume = DokanVolume.Mount("small-mixed", wrap: adapter => new WrongOperations(adapter, wrong));
            Exercise(volume);
        });
        Assert.Contains(sentence, caught.Message);
    }

    [TestMethod]
    public void TheRightAdapterPassesTheSameExercise()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        Exercise(volume);
        Assert.IsEmpty(volume.Driver.Faults.All);
    }

    [TestMethod]
    public void AForgottenHandleFailsTheTest()
    {
        AssertFailedException caught = Assert.ThrowsExactly<AssertFailedException>(() =>
        {
            using DokanVolume volume = DokanVolume.Mount("small-mixed");
            volume.MustOpen("\\many", RA);
        });
        Assert.Contains("left handles open", caught.Message);
    }

    private static void Exercise(DokanVolume volume)
    {
        volume.Try("\\missing", CreateDisposition.Open, RA);
        volume.Try("\\many\\amber-106.c", CreateDisposition.Open, FileAccess.Delete);
        OpenOutcome directory = volume.Open("\\many", CreateDisposition.Open, RA);
        if (directory.Handle is not null)
        {
            volume.Driver.QueryInformation(directory.Handle, out _);
            volume.Driver.CloseHandle(directory.Handle);
        }

        SimulatedHandle file = volume.MustOpen("\\hard\\one", GR);
        volume.Driver.Read(file, 0, new byte[100], out _);
        volume.Driver.QueryInformation(file, out _);
        volume.Driver.CloseHandle(file);
        volume.Client.FindAll("\\", "*", out _);
        volume.Client.FindAll("\\many", "*.txt", out _);
        volume.Driver.QueryVolume();
        volume.Driver.QuerySpace();
    }
}
