namespace Hammer2.Cli.Verbs;
internal static class MountsVerb { public static VerbCommand Create() => new VerbCommand("mounts", "x", "hammer2 mounts").RunsRaw((_, _) => 0); }
