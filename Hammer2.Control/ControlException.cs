// A failure of the channel itself, as one line for the user. What a command says about its own failure is
// printed by the command and is no exception here.

namespace Hammer2.Control;

/// <summary>The mount could not be asked.</summary>
public sealed class ControlException : IOException
{
    /// <summary>One line that says what is wrong and what to do.</summary>
    public ControlException(string message)
        : base(message)
    {
    }

    /// <summary>One line, and what caused it.</summary>
    public ControlException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>For serializers only.</summary>
    public ControlException()
    {
    }
}
