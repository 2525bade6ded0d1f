// What a verb returns: a head (one object), optionally a stream of items, and the failures met on
// the way. Invariants: the JSON form is one object: the properties of the head, then the items as an
// array under their name, then `failures` (always there, usually empty); items are produced while they are
// printed, so that a listing of any length needs no memory for its whole.

using System.Text.Json.Serialization;

namespace Hammer2.Cli.Output;

/// <summary>A shape that also knows its text form. Its public properties are its JSON form.</summary>
internal interface ITextShape
{
    void WriteText(TextOutput output);
}

/// <summary>Something that could not be read.</summary>
/// <param name="Path">Where; null when it is the volume, or when the bytes are not UTF-8.</param>
/// <param name="PathHex">Then these are the bytes.</param>
/// <param name="Code">The error's name, as in <c>check_failed</c>.</param>
/// <param name="Message">One line.</param>
internal sealed record Failure(string? Path, string? PathHex, string Code, string Message)
{
    /// <summary>The line on stderr.</summary>
    [JsonIgnore]
    public string Line { get; init; } = "";

    public static Failure At(ReadOnlySpan<byte> path, string code, string message)
    {
        var (text, hex) = MediaText.Split(path);
        return new Failure(text, hex, code, message) { Line = MediaText.Show(path) + ": " + message };
    }

    public static Failure OfVolume(string code, string message) => new(null, null, code, message) { Line = message };
}

/// <summary>Printed in text and left out of JSON: headlines, blank lines.</summary>
internal sealed record TextLine(string Text) : ITextShape
{
    public void WriteText(TextOutput output) => output.Line(Text);
}

/// <summary>Not printed: everything before it is brought out, then the action runs, however long it takes.</summary>
internal sealed record Pause(Action Action) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        output.Flush();
        Action();
    }
}

/// <summary>An empty head: the result is its items.</summary>
internal sealed record NoHead : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // A listing has no headline.
    }
}

/// <summary>The outcome of a verb, before it is printed.</summary>
internal class VerbResult(ITextShape head)
{
    public ITextShape Head { get; } = head;

    /// <summary>The JSON name of <see cref="Items"/>; null when there are none.</summary>
    public string? ItemsName { get; init; }

    /// <summary>Lazily produced; enumerated once.</summary>
    public IEnumerable<ITextShape> Items { get; init; } = [];

    /// <summary>Read after the items were enumerated, as sums are.</summary>
    public Func<ITextShape?> Tail { get; init; } = () => null;

    /// <summary>Whether JSON ends with the failures; only manifests, whose shape is given, leave them to their entries.</summary>
    public bool HasFailuresInJson { get; init; } = true;

    /// <summary>Grows while the items are enumerated.</summary>
    public FailureList Failures { get; init; } = new();

    /// <summary>What to return although nothing failed to be read (a verification that found damage).</summary>
    public Func<int> ExitCodeOfVerb { get; init; } = () => ExitCode.Success;

    public static VerbResult Of(ITextShape head) => new(head);

    public static VerbResult Listing(string name, IEnumerable<ITextShape> items, FailureList? failures = null) =>
        new(new NoHead()) { ItemsName = name, Items = items, Failures = failures ?? new FailureList() };
}

/// <summary>Failures in the order they were met; safe to add to from several threads.</summary>
internal sealed class FailureList
{
    private readonly List<Failure> _failures = [];
    private readonly Lock _gate = new();

    public int Count
    {
        get
        {
            lock (_gate)
                return _failures.Count;
        }
    }

    public void Add(Failure failure)
    {
        lock (_gate)
            _failures.Add(failure);
    }

    public IReadOnlyList<Failure> ToList()
    {
        lock (_gate)
            return [.. _failures];
    }
}
