// Times of the medium: microseconds since 1970-01-01 UTC, two's complement before it (format page 1.1).
// Conversions clamp to what DateTime can hold (years 1 to 9999), so a crafted inode cannot make them throw.

namespace Hammer2.Engine.Primitives;

/// <summary>Conversions between media times (microseconds since 1970) and .NET times.</summary>
public static class MediaTime
{
    private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;
    private static readonly long s_minUs = -(DateTime.UnixEpoch.Ticks / TicksPerMicrosecond);
    private static readonly long s_maxUs = (DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks) / TicksPerMicrosecond;

    /// <summary>The media time as a UTC <see cref="DateTime"/>, clamped to the range that one can hold.</summary>
    public static DateTime ToUtc(long microseconds)
    {
        long us = Math.Clamp(microseconds, s_minUs, s_maxUs);
        return new DateTime(DateTime.UnixEpoch.Ticks + us * TicksPerMicrosecond, DateTimeKind.Utc);
    }

    /// <summary>The time of the clock.</summary>
    public static long Now() => FromUtc(DateTime.UtcNow);

    /// <summary>The media time of a UTC <see cref="DateTime"/>; fractions of a microsecond are cut off downwards.</summary>
    public static long FromUtc(DateTime utc)
    {
        long ticks = utc.Ticks - DateTime.UnixEpoch.Ticks;
        return Math.DivRem(ticks, TicksPerMicrosecond, out long rest) - (rest < 0 ? 1 : 0);
    }
}
