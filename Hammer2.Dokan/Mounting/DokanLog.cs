// Carries DokanNet's own messages to the logger of the host.
// Invariant: never throws, whatever the message's format says; debug messages are off, they would cost more than the
// work that they describe. Calls the host's logger.

using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Hammer2.Dokan.Mounting;

/// <summary>DokanNet's logger over the host's.</summary>
internal sealed class DokanLog(ILogger log) : DokanNet.Logging.ILogger
{
    /// <inheritdoc />
    public bool DebugEnabled => false;

    /// <inheritdoc />
    public void Debug(string message, params object[] args)
    {
    }

    /// <inheritdoc />
    public void Info(string message, params object[] args) => Write(LogLevel.Information, message, args);

    /// <inheritdoc />
    public void Warn(string message, params object[] args) => Write(LogLevel.Warning, message, args);

    /// <inheritdoc />
    public void Error(string message, params object[] args) => Write(LogLevel.Error, message, args);

    /// <inheritdoc />
    public void Fatal(string message, params object[] args) => Write(LogLevel.Critical, message, args);

    private void Write(LogLevel level, string message, object[] args)
    {
        string text;
        try
        {
            text = args.Length == 0 ? message : string.Format(CultureInfo.InvariantCulture, message, args);
        }
        catch (FormatException)
        {
            text = message;
        }

        log.Log(level, "Dokan: {Message}", text);
    }
}
