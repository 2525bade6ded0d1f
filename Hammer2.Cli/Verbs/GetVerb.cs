namespace Hammer2.Cli.Verbs;
internal static class GetVerb { public static VerbCommand Create() => new VerbCommand("get", "x", "hammer2 get").RunsRaw((_, _) => 0); }
