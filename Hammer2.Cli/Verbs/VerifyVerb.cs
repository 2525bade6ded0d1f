namespace Hammer2.Cli.Verbs;
internal static class VerifyVerb { public static VerbCommand Create() => new VerbCommand("verify", "x", "hammer2 verify").RunsRaw((_, _) => 0); }
