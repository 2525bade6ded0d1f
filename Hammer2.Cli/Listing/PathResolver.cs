// From a typed path to a vnode. Links inside the path are followed as a kernel would with the PFS
// as its root: absolute targets start at the root, ".." stops there. Invariants: at most 40 links,
// so that a loop of links ends; a failure is a CliException with exit code 1.

using System.Text;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>A vnode and the path that leads to it.</summary>
internal sealed record ResolvedPath(Vnode Node, byte[] Path) : IDisposable
{
    /// <summary>The last name, or "/" for the root.</summary>
    public byte[] Name => Path.Length == 1 ? Path : Path[(Array.LastIndexOf(Path, (byte)'/') + 1)..];

    public TreeEntry ToEntry() => TreeEntry.Of(Path, Node.GetAttributes());

    public void Dispose() => Node.Dispose();
}

/// <summary>Walks paths inside one PFS.</summary>
internal sealed class PathResolver(PfsMount pfs)
{
    private const int LinksMax = 40;

    /// <summary>Resolves what a user typed.</summary>
    /// <param name="followLast">Whether a link at the end of the path is followed too.</param>
    public ResolvedPath Resolve(string typed, bool followLast)
    {
        byte[] path = MediaText.Parse(typed);
        try
        {
            return Walk(path, followLast || (path.Length > 1 && path[^1] == (byte)'/'));
        }
        catch (Hammer2Exception failure)
        {
            throw new CliException(ExitCode.Partial, $"{typed}: {failure.Message}", failure);
        }
    }

    private ResolvedPath Walk(byte[] path, bool followLast)
    {
        var pending = new Stack<byte[]>();
        Push(pending, path);
        var trail = new Stack<(Vnode Node, int PathLength)>();
        var walked = new MemoryStream();
        Vnode current = pfs.OpenRoot();
        int links = 0;
        try
        {
            while (pending.TryPop(out byte[]? name))
            {
                if (current.Type != ObjectType.Directory)
                    throw Failed(walked, Hammer2Error.NotADirectory);
                if (name is [(byte)'.'])
                    continue;
                if (name is [(byte)'.', (byte)'.'])
                {
                    if (!trail.TryPop(out var above))
                        continue;
                    current.Dispose();
                    current = above.Node;
                    walked.SetLength(above.PathLength);
                    continue;
                }

                Hammer2Error error = pfs.TryLookup(current, name, out Vnode? next);
                if (error != Hammer2Error.None || next is null)
                    throw Failed(walked, error, name);
                if (next.Type == ObjectType.Symlink && (followLast || pending.Count > 0))
                {
                    byte[] target = ReadTarget(next);
                    if (++links > LinksMax)
                        throw Failed(walked, Hammer2Error.InvalidArgument, name);
                    if (target is [(byte)'/', ..])
                        GoToRoot();
                    Push(pending, target);
                    continue;
                }

                trail.Push((current, (int)walked.Length));
                current = next;
                walked.Position = walked.Length;
                walked.WriteByte((byte)'/');
                walked.Write(name);
            }

            return new ResolvedPath(current, walked.Length == 0 ? [(byte)'/'] : walked.ToArray());
        }
        catch
        {
            current.Dispose();
            throw;
        }
        finally
        {
            foreach (var (node, _) in trail)
                node.Dispose();
        }

        void GoToRoot()
        {
            while (trail.TryPop(out var above))
            {
                current.Dispose();
                current = above.Node;
            }

            walked.SetLength(0);
        }
    }

    private static byte[] ReadTarget(Vnode link)
    {
        using (link)
            return link.ReadLink();
    }

    // The parts go on top of what is left of the path, in reading order.
    private static void Push(Stack<byte[]> pending, byte[] path)
    {
        int end = path.Length;
        while (end > 0)
        {
            int slash = Array.LastIndexOf(path, (byte)'/', end - 1);
            if (end - slash > 1)
                pending.Push(path[(slash + 1)..end]);
            end = Math.Max(slash, 0);
        }
    }

    private static CliException Failed(MemoryStream soFar, Hammer2Error error, byte[]? name = null)
    {
        var at = new StringBuilder(MediaText.Show(soFar.ToArray()));
        if (name is not null)
            at.Append('/').Append(MediaText.Show(name));
        string what = error == Hammer2Error.InvalidArgument ? "too many symbolic links" : ErrorText.Of(error);
        return new CliException(ExitCode.Partial, $"{(at.Length == 0 ? "/" : at.ToString())}: {what}");
    }
}
