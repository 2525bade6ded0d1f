// Compares a directory with the model of it: as a program sees it on the drive, as the engine shows the medium, and as another
// system sees it that has the medium mounted. Names, kinds, attributes, lengths, bytes; nothing more and nothing less.
// Throws at the first difference. Calls the simulated driver and the engine's vnodes.

using System.Text;
using DokanNet;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Dokan;

/// <summary>Comparisons of trees with the model.</summary>
internal static class ModelComparison
{
    /// <summary>Through the drive.</summary>
    internal static void OnDrive(DokanVolume v, string home, NtfsModel model) => OnDrive(v, home, model.Root);

    /// <summary>Through the engine, without the adapter.</summary>
    internal static void InEngine(PfsMount pfs, string home, NtfsModel model)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(Encoding.UTF8.GetBytes(home.Replace('\\', '/')), out Vnode? directory), home);
        using Vnode open = directory!;
        InEngine(pfs, open, home, model.Root);
    }

    /// <summary>Through a directory of this system, where the medium is mounted. Attributes are not seen there, but the write bits.</summary>
    internal static void OnSystem(string home, NtfsModel model) => OnSystem(home, model.Root);

    private static void OnDrive(DokanVolume v, string path, ModelNode node)
    {
        int found = 0;
        foreach (FindFileInformation entry in v.Client.FindAll(path, "*", out _))
        {
            string name = entry.FileName.ToString();
            if (name is "." or "..")
                continue;
            found++;
            string below = $@"{path}\{name}";
            ModelNode child = Child(node, name, below, (entry.Attributes & FileAttributes.Directory) != 0);
            Demand(child.Attributes == (entry.Attributes & NtfsModel.Known), $"{below} has other attributes");
            if (child.IsDirectory)
                OnDrive(v, below, child);
            else
                Demand(child.Data.Span.SequenceEqual(v.Client.ReadAll(below)), $"{below} has other bytes");
        }

        Demand(found == node.Children.Count, $"{path} has {found} names instead of {node.Children.Count}");
    }

    private static void InEngine(PfsMount pfs, Vnode directory, string path, ModelNode node)
    {
        var batch = new DirectoryBatch(64);
        int found = 0;
        for (ulong position = 0; ; position = batch.NextPosition)
        {
            directory.ReadDirectory(position, batch);
            Demand(batch.Damage.Count == 0, $"{path} is damaged");
            for (int i = 0; i < batch.Count; i++)
            {
                found++;
                string name = Encoding.UTF8.GetString(batch.NameOf(i));
                string below = $@"{path}\{name}";
                ModelNode child = Child(node, name, below, batch[i].Type == ObjectType.Directory);
                Demand(pfs.TryOpen(batch[i].InodeNumber, out Vnode? vnode) == Hammer2Error.None, $"{below} has no inode");
                using Vnode open = vnode!;
                if (child.IsDirectory)
                    InEngine(pfs, open, below, child);
                else
                    SameFile(open, below, child);
            }

            if (batch.EndOfDirectory)
                break;
        }

        Demand(found == node.Children.Count, $"{path} has {found} names instead of {node.Children.Count}");
    }

    private static void SameFile(Vnode file, string path, ModelNode node)
    {
        InodeAttributes attributes = file.GetAttributes();
        Demand((WindowsAttributes.Stored(attributes) & NtfsModel.Known) == node.Attributes, $"{path} has other attributes");
        Demand(attributes.LinkCount == 1, $"{path} has {attributes.LinkCount} links");
        var bytes = new byte[attributes.Size];
        int read = 0;
        while (read < bytes.Length && file.Read(read, bytes.AsSpan(read)) is var more and > 0)
            read += more;
        Demand(node.Data.Span.SequenceEqual(bytes), $"{path} has other bytes");
    }

    private static void OnSystem(string path, ModelNode node)
    {
        int found = 0;
        foreach (FileSystemInfo entry in new DirectoryInfo(path).EnumerateFileSystemInfos())
        {
            found++;
            ModelNode child = Child(node, entry.Name, entry.FullName, entry is DirectoryInfo);
            if (child.IsDirectory)
            {
                OnSystem(entry.FullName, child);
                continue;
            }

            const UnixFileMode Writing = UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
            Demand((entry.UnixFileMode & Writing) == 0 == child.IsReadOnly, $"{entry.FullName} has other attributes");
            Demand(child.Data.Span.SequenceEqual(File.ReadAllBytes(entry.FullName)), $"{entry.FullName} has other bytes");
        }

        Demand(found == node.Children.Count, $"{path} has {found} names instead of {node.Children.Count}");
    }

    private static ModelNode Child(ModelNode node, string name, string path, bool isDirectory)
    {
        if (!node.Children.TryGetValue(name, out ModelNode? child) || child.Name != name)
            throw new AssertFailedException($"{path}: '{name}' should not be there");
        Demand(child.IsDirectory == isDirectory, $"{path} is something else");
        return child;
    }

    private static void Demand(bool holds, string otherwise)
    {
        if (!holds)
            throw new AssertFailedException(otherwise);
    }
}
