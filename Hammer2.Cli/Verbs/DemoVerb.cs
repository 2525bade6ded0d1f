namespace Hammer2.Cli.Verbs;
internal static class DemoVerb { public static VerbCommand Create() => new VerbCommand("demo", "x", "hammer2 demo").RunsRaw((_, _) => 0); }
