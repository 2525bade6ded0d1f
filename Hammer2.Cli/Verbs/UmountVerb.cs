namespace Hammer2.Cli.Verbs;
internal static class UmountVerb { public static VerbCommand Create() => new VerbCommand("umount", "x", "hammer2 umount").RunsRaw((_, _) => 0); }
