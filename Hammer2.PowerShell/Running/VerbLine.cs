// A command line of the program: verb, options, then names behind "--", so that no name is taken for an option. Invariant: what is not
// chosen is left out, so the program's defaults hold. Calls nothing.

using System.Globalization;

namespace Hammer2.PowerShell.Running;

/// <summary>Verb, options and names.</summary>
/// <param name="verb">One or two words.</param>
internal sealed class VerbLine(params string[] verb)
{
    private readonly List<string> _options = [.. verb, "--json", "--progress-json", "--stop-with-input"];
    private readonly List<string> _names = [];

    /// <summary>The verb started a process that stays, and that may hold what the verb held.</summary>
    public bool LeavesProcess { get; set; }

    /// <summary>All arguments.</summary>
    public IEnumerable<string> Arguments => _names.Count == 0 ? _options : _options.Concat(["--"]).Concat(_names);

    /// <summary>An option without a value.</summary>
    public VerbLine Flag(string name, bool wanted)
    {
        if (wanted)
            _options.Add(name);
        return this;
    }

    /// <summary>An option with a value, if there is one.</summary>
    public VerbLine Option(string name, object? value)
    {
        // In one piece: a value may begin with a dash.
        if (value is not null)
            _options.Add(name + "=" + Convert.ToString(value, CultureInfo.InvariantCulture));
        return this;
    }

    /// <summary>An option that may be given several times.</summary>
    public VerbLine Options(string name, IEnumerable<string>? values)
    {
        foreach (string value in values ?? [])
            Option(name, value);
        return this;
    }

    /// <summary>What the verb acts on; nulls are left out.</summary>
    public VerbLine Names(params string?[] names)
    {
        _names.AddRange(names.OfType<string>());
        return this;
    }
}
