// JSON-RPC over a stream, the same for both sides, and how each side greets the other. Invariant: a call that waits
// for an answer ends when the connection does. May call StreamJsonRpc.

using System.Reflection;
using StreamJsonRpc;

namespace Hammer2.Control;

/// <summary>Makes connections.</summary>
internal static class ControlConnection
{
    /// <summary>How this process greets.</summary>
    public static ControlHello OwnHello { get; } = new(ControlProtocol.Version, ProductVersion(), Environment.ProcessId);

    public static JsonRpc Create(Stream stream) =>
        new(new HeaderDelimitedMessageHandler(stream, stream, new SystemTextJsonFormatter())) { CancelLocallyInvokedMethodsWhenConnectionIsClosed = true };

    private static string ProductVersion() =>
        typeof(ControlConnection).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
