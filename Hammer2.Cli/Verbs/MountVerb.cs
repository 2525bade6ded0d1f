namespace Hammer2.Cli.Verbs;
internal static class MountVerb { public static VerbCommand Create() => new VerbCommand("mount", "x", "hammer2 mount").RunsRaw((_, _) => 0); }
