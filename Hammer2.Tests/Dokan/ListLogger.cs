// A logger that keeps its lines, for tests that look at what was said. Thread-safe. Calls nothing.
// It keeps everything: use it for one test, not for a run.

using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Hammer2.Tests.Dokan;

/// <summary>Keeps every line.</summary>
internal sealed class ListLogger : ILogger
{
    internal ConcurrentQueue<string> Lines { get; } = new();

    /// <inheritdoc />
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc />
    public bool IsEnabled(LogLevel logLevel) => true;

    /// <inheritdoc />
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Enqueue(formatter(state, exception));
}
