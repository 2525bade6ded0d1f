// Checks that stay on in Release builds. They guard our own reasoning, not the medium: what the medium
// says wrong is a Hammer2Exception, what we do wrong is an InvariantException.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Hammer2.Engine.Primitives;

/// <summary>An assumption of the engine about itself does not hold: a bug, never the medium's fault.</summary>
public sealed class InvariantException(string message) : Exception(message);

/// <summary>Assertions that are checked in every build.</summary>
public static class Invariant
{
    /// <summary>Throws <see cref="InvariantException"/> unless <paramref name="condition"/> holds.</summary>
    public static void Check(
        [DoesNotReturnIf(false)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (!condition)
            Throw(expression);
    }

    [DoesNotReturn]
    private static void Throw(string? expression) => throw new InvariantException("Invariant violated: " + expression);
}
