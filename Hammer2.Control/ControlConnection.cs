// JSON-RPC over a stream, the same for both sides, and how each side greets the other. Invariant: a call that waits
// for an answer ends when the connection does. May call StreamJsonRpc.

using System.Reflection;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace Hammer2.Control;

/// <summary>Makes connections.</summary>
internal static class ControlConnection
{
    /// <summary>How this process greets.</summary>
    public static ControlHello OwnHello { get; } = new(ControlProtocol.Version, ProductVersion(), Environment.ProcessId);

    public static Connection Create(Stream stream) =>
        new(new HeaderDelimitedMessageHandler(stream, stream, new SystemTextJsonFormatter())) { CancelLocallyInvokedMethodsWhenConnectionIsClosed = true };

    private static string ProductVersion() =>
        typeof(ControlConnection).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>A connection that tells when an answer was written.</summary>
    internal sealed class Connection(IJsonRpcMessageHandler handler) : JsonRpc(handler)
    {
        /// <summary>Called after each answer, also one that is an error.</summary>
        public Action? Answered { get; set; }

        /// <inheritdoc/>
        protected override void OnResponseSent(JsonRpcMessage response)
        {
            base.OnResponseSent(response);
            Answered?.Invoke();
        }
    }
}
