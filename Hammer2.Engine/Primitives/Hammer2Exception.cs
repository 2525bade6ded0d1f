// The exception for what should not happen: damaged media, failing devices, misuse. Expected outcomes
// (no such name) are return values. The message is one line and says where: device offset and blockref.

namespace Hammer2.Engine.Primitives;

/// <summary>A failure of the engine, with its <see cref="Hammer2Error"/> and a one-line message.</summary>
public sealed class Hammer2Exception : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="error">What kind of failure; never <see cref="Hammer2Error.None"/>.</param>
    /// <param name="message">One line: what, where, and what to do if there is something to do.</param>
    /// <param name="inner">The cause, if another exception was.</param>
    public Hammer2Exception(Hammer2Error error, string message, Exception? inner = null)
        : base(OneLine(message), inner)
    {
        Error = error;
    }

    /// <summary>What kind of failure this is.</summary>
    public Hammer2Error Error { get; }

    // Messages quote names and labels from the medium: line breaks and terminal control codes must not pass.
    private static string OneLine(string message)
    {
        if (!message.AsSpan().ContainsAnyInRange('\u0000', '\u001F') && !message.AsSpan().ContainsAnyInRange('\u007F', '\u009F'))
            return message;
        return string.Create(message.Length, message, static (span, text) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = char.IsControl(text[i]) ? '?' : text[i];
        });
    }
}
