// The kinds of findings: a stable name, a severity and what to do about it. Scripts and tests compare the names, so a
// name never changes its meaning. The kinds themselves are listed in CheckCodes.

namespace Hammer2.Engine.Checking;

/// <summary>How bad a finding is.</summary>
public enum CheckSeverity
{
    /// <summary>Space that only bulkfree gives back, remains of other implementations: nothing is wrong.</summary>
    Information,

    /// <summary>A rule does not hold, but nothing is lost by it and nothing will be.</summary>
    Warning,

    /// <summary>Damage, or the risk that a block is given out twice.</summary>
    Error,
}

/// <summary>One kind of finding.</summary>
public sealed class CheckCode
{
    internal CheckCode(int index, string name, CheckSeverity severity, string advice)
    {
        Index = index;
        Name = name;
        Severity = severity;
        Advice = advice;
    }

    /// <summary>Stable name, as in <c>freemap-used-but-free</c>.</summary>
    public string Name { get; }

    /// <summary>How bad it is.</summary>
    public CheckSeverity Severity { get; }

    /// <summary>What to do, one sentence.</summary>
    public string Advice { get; }

    /// <summary>Position in <see cref="CheckCodes.All"/>.</summary>
    internal int Index { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
