// Engine errors in words and as the codes of JSON. Pure. Invariant: the codes are stable, since scripts compare them;
// the words may get better.
// May call the engine's primitives.

using System.Text.Json;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>Names and sentences for <see cref="Hammer2Error"/>.</summary>
internal static class ErrorText
{
    /// <summary>The stable code, as in <c>check_failed</c>.</summary>
    public static string Code(Hammer2Error error) => JsonNamingPolicy.SnakeCaseLower.ConvertName(error.ToString());

    /// <summary>What it means to somebody who wanted to read an entry.</summary>
    public static string Of(Hammer2Error error) => error switch
    {
        Hammer2Error.NotFound => "no such file or directory",
        Hammer2Error.NotADirectory => "not a directory",
        Hammer2Error.IsADirectory => "is a directory",
        Hammer2Error.NotASymlink => "not a symbolic link",
        Hammer2Error.NameTooLong => "name longer than 255 bytes",
        Hammer2Error.InvalidName => "not a valid name",
        Hammer2Error.CheckFailed => "damaged: a check code does not match",
        Hammer2Error.Corrupt => "damaged: a structure makes no sense",
        Hammer2Error.Io => "could not be read from the medium",
        Hammer2Error.Unsupported => "uses a feature that is not supported",
        Hammer2Error.InvalidArgument => "invalid argument",
        Hammer2Error.Exists => "exists",
        Hammer2Error.NotEmpty => "directory not empty",
        Hammer2Error.NoSpace => "no space left",
        Hammer2Error.FileTooLarge => "larger than a file can be",
        Hammer2Error.TooManyLinks => "too many hard links",
        Hammer2Error.NotPermitted => "not permitted",
        Hammer2Error.ReadOnly => "read-only",
        Hammer2Error.InUse => "in use",
        _ => error.ToString(),
    };

    /// <summary>The same for an entry that a directory lists: a name without an inode is damage, not absence.</summary>
    public static string OfEntry(Hammer2Error error) =>
        error == Hammer2Error.NotFound ? "damaged: the entry's inode does not exist" : Of(error);
}
