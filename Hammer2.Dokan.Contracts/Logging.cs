// The logging types of DokanNet 2.3.0.3 that the front end uses, declared anew.
// Invariant: equal to the published list (Hammer2.Tests/Dokan/dokannet-api.txt); a test compares them. Calls nothing.

namespace DokanNet.Logging;

#pragma warning disable CA1716 // The names are those of the package.

/// <summary>Where DokanNet itself writes its messages; formats are those of string.Format.</summary>
public interface ILogger
{
    /// <summary>Are debug messages wanted?</summary>
    bool DebugEnabled { get; }

    /// <summary>A detail.</summary>
    void Debug(string message, params object[] args);

    /// <summary>An event.</summary>
    void Info(string message, params object[] args);

    /// <summary>A doubt.</summary>
    void Warn(string message, params object[] args);

    /// <summary>A failure.</summary>
    void Error(string message, params object[] args);

    /// <summary>The end.</summary>
    void Fatal(string message, params object[] args);
}
