// Running a change over the places that a verb's arguments mean, one after the other. Invariants: a place where it fails is
// reported and the rest still gets its turn; a full or read-only volume ends the run, since nothing after it could work.
// Recursion is an explicit stack. May call Listing and Output.

using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Trees;

/// <summary>What most writing verbs print: nothing as text, a count as JSON.</summary>
/// <param name="Changed">Objects that were made, changed or removed.</param>
internal sealed record ChangedShape(long Changed) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success, as with rm(1) and its family.
    }
}

/// <summary>Changes place after place.</summary>
internal sealed class EachPlace(FailureList failures, CancellationToken stop)
{
    /// <summary>Objects changed so far.</summary>
    public long Changed { get; set; }

    /// <summary>Runs the change for every place; its result says whether it worked there.</summary>
    public void Run(IEnumerable<string> typed, Func<string, IEnumerable<TreePlace>> find, Func<TreePlace, Hammer2Error> change)
    {
        foreach (string path in typed)
        {
            try
            {
                foreach (TreePlace place in find(path))
                {
                    using (place)
                        Note(place.Path, Attempt(place, change));
                }
            }
            catch (CliException failure) when (failure.ExitCode == ExitCode.Partial)
            {
                failures.Add(Failure.At(MediaText.Parse(path), "not_found", failure.Message) with { Line = failure.Message });
            }
        }
    }

    /// <summary>Runs the change for a directory and everything below it, or for whatever the place is.</summary>
    public Hammer2Error RunBelow(TreePlace place, Func<IFileNode, Hammer2Error> change)
    {
        var open = new Stack<(IFileNode Node, byte[] Path, IEnumerator<ListedName> Names, bool Owned)>();
        Hammer2Error first = change(place.Node!);
        if (first != Hammer2Error.None || !place.IsDirectory)
            return first;
        open.Push((place.Node!, place.Path, place.Node!.ReadDirectory().GetEnumerator(), false));
        while (open.TryPeek(out var level))
        {
            stop.ThrowIfCancellationRequested();
            if (!MoveNext(level.Path, level.Names))
            {
                level.Names.Dispose();
                if (level.Owned)
                    level.Node.Dispose();
                open.Pop();
                continue;
            }

            byte[] path = Join(level.Path, level.Names.Current.Name);
            Hammer2Error error = level.Node.TryLookup(level.Names.Current.Name, NodeUse.Look, out IFileNode? node);
            if (error == Hammer2Error.None)
                error = change(node!);
            Note(path, error);
            if (error == Hammer2Error.None && node!.Type == ObjectType.Directory)
                open.Push((node, path, node.ReadDirectory().GetEnumerator(), true));
            else
                node?.Dispose();
        }

        return Hammer2Error.None;
    }

    /// <summary>Next entry, or false with a report when the directory cannot be listed.</summary>
    public bool MoveNext(byte[] path, IEnumerator<ListedName> names)
    {
        try
        {
            return names.MoveNext();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            failures.Add(Failure.At(path, "not_readable", failure.Message));
            return false;
        }
    }

    /// <summary>Counts a success, reports a failure.</summary>
    /// <exception cref="CliException">Nothing further can work.</exception>
    public void Note(byte[] path, Hammer2Error error)
    {
        if (error == Hammer2Error.None)
        {
            Changed++;
            return;
        }

        failures.Add(Failure.At(path, ErrorText.Code(error), ErrorText.Of(error)));
        if (error is Hammer2Error.NoSpace or Hammer2Error.ReadOnly)
            throw new CliException(ExitCode.Partial, $"{MediaText.Show(path)}: {ErrorText.Of(error)}");
    }

    public static byte[] Join(byte[] path, byte[] name) => path is [.., (byte)'/'] ? [.. path, .. name] : [.. path, (byte)'/', .. name];

    private Hammer2Error Attempt(TreePlace place, Func<TreePlace, Hammer2Error> change)
    {
        stop.ThrowIfCancellationRequested();
        try
        {
            return change(place);
        }
        catch (Hammer2Exception failure) when (failure.Error is not (Hammer2Error.None or Hammer2Error.Closed))
        {
            throw new CliException(ExitCode.Partial, $"{MediaText.Show(place.Path)}: {failure.Message}", failure);
        }
    }
}
