// The model: an exact filesystem in memory, written to be obviously right. Every change has two halves: WhyNotX gives the
// errors that would be right answers, in no order, because which of several reasons a filesystem names is its own affair;
// X makes the change and may only be called when there is no reason. Invariant: what neither names nor handles hold is forgotten.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>The reference.</summary>
internal sealed class ModelTree
{
    private const int NameBytesMax = 255;
    private const int SymlinkBytesMax = 65535;
    private const int NewestLinks = int.MaxValue;
    private readonly HashSet<ModelNode> _all = [];
    private int _nextId = 1;

    public ModelTree()
    {
        Root = new ModelNode(0, ObjectType.Directory);
        _all.Add(Root);
    }

    public ModelNode Root { get; }

    /// <summary>Everything that has a name or a handle.</summary>
    public IReadOnlyCollection<ModelNode> All => _all;

    public static List<Hammer2Error> WhyNotLookup(ModelNode directory, string name)
    {
        List<Hammer2Error> reasons = WhyNotName(directory, name, mustBeReal: false);
        if (reasons.Count > 0)
            reasons.Add(Hammer2Error.NotFound);
        else if (!directory.Entries.ContainsKey(name))
            reasons.Add(Hammer2Error.NotFound);
        return reasons;
    }

    public static List<Hammer2Error> WhyNotCreate(ModelNode directory, string name, NewObject what)
    {
        List<Hammer2Error> reasons = WhyNotEnter(directory, name);
        if (what.Type == ObjectType.Symlink && (what.Target is null or "" || what.Target.Length > SymlinkBytesMax || what.Target.Contains('\0')))
            reasons.AddRange([Hammer2Error.InvalidArgument, Hammer2Error.NameTooLong, Hammer2Error.InvalidName]);
        return reasons;
    }

    public ModelNode Create(ModelNode directory, string name, NewObject what, TimeRange now)
    {
        var node = new ModelNode(_nextId++, what.Type)
        {
            Mode = what.Mode,
            Uid = what.Uid,
            Gid = what.Gid ?? directory.Gid,
            Major = what.Major,
            Minor = what.Minor,
            Target = what.Target,
            Compression = directory.Compression,
            CompressionLevel = directory.CompressionLevel,
            Check = directory.Check,
        };
        node.Modified.Set(now);
        node.Changed.Set(now);
        node.Born.Set(now);
        node.Born.MayBe(new TimeRange(0, 0));
        _all.Add(node);
        Enter(directory, name, node, now);
        return node;
    }

    public static List<Hammer2Error> WhyNotLink(ModelNode existing, ModelNode directory, string name)
    {
        List<Hammer2Error> reasons = WhyNotEnter(directory, name);
        if (existing.IsDirectory)
            reasons.Add(Hammer2Error.NotPermitted);
        if (existing.IsGone)
            reasons.Add(Hammer2Error.NotFound);
        if (existing.Links == NewestLinks)
            reasons.Add(Hammer2Error.TooManyLinks);
        return reasons;
    }

    public static void Link(ModelNode existing, ModelNode directory, string name, TimeRange now)
    {
        Enter(directory, name, existing, now);
        existing.Changed.Set(now);
    }

    public static List<Hammer2Error> WhyNotUnlink(ModelNode directory, string name)
    {
        List<Hammer2Error> reasons = WhyNotRemove(directory, name, out ModelNode? node);
        if (node is { IsDirectory: true })
            reasons.AddRange([Hammer2Error.IsADirectory, Hammer2Error.NotPermitted]);
        return reasons;
    }

    public void Unlink(ModelNode directory, string name, TimeRange now)
    {
        ModelNode node = Leave(directory, name, now);
        node.Changed.Set(now);
        Forget(node);
    }

    public static List<Hammer2Error> WhyNotRemoveDirectory(ModelNode directory, string name)
    {
        List<Hammer2Error> reasons = WhyNotRemove(directory, name, out ModelNode? node);
        if (node is { IsDirectory: false })
            reasons.Add(Hammer2Error.NotADirectory);
        if (node is { Entries.Count: > 0 })
            reasons.Add(Hammer2Error.NotEmpty);
        return reasons;
    }

    public void RemoveDirectory(ModelNode directory, string name, TimeRange now) => Forget(Leave(directory, name, now));

    public static List<Hammer2Error> WhyNotRename(ModelNode from, string name, ModelNode to, string newName, RenameMode mode)
    {
        List<Hammer2Error> reasons = WhyNotRemove(from, name, out ModelNode? source);
        foreach (Hammer2Error reason in WhyNotName(to, newName, mustBeReal: true))
            reasons.Add(reason);
        ModelNode? target = to.Entries.GetValueOrDefault(newName);
        if (mode == RenameMode.NoReplace && target is not null)
            reasons.Add(Hammer2Error.Exists);
        if (mode == RenameMode.Exchange && target is null)
            reasons.Add(Hammer2Error.NotFound);
        if (source is null || source == target && mode != RenameMode.NoReplace)
            return reasons;
        if (source.IsDirectory && source.IsAtOrAbove(to))
            reasons.Add(Hammer2Error.InvalidArgument);
        if (target is null)
            return reasons;
        if (target.IsDirectory && target.IsAtOrAbove(from))
            reasons.AddRange([Hammer2Error.InvalidArgument, Hammer2Error.NotEmpty]);
        if (mode != RenameMode.Replace)
            return reasons;
        if (source.IsDirectory && !target.IsDirectory)
            reasons.Add(Hammer2Error.NotADirectory);
        if (!source.IsDirectory && target.IsDirectory)
            reasons.Add(Hammer2Error.IsADirectory);
        if (target.Entries.Count > 0)
            reasons.Add(Hammer2Error.NotEmpty);
        return reasons;
    }

    public void Rename(ModelNode from, string name, ModelNode to, string newName, RenameMode mode, TimeRange now)
    {
        ModelNode source = from.Entries[name];
        ModelNode? target = to.Entries.GetValueOrDefault(newName);
        if (source == target)
        {
            // Two names of one object: nothing happens; times may be touched.
            foreach (ModelNode node in new[] { from, to, source })
                Touch(node, now, certain: false);
            return;
        }

        Leave(from, name, now);
        source.Changed.MayBe(now);
        if (target is not null)
            Leave(to, newName, now);
        Enter(to, newName, source, now);
        if (target is null)
            return;
        target.Changed.MayBe(now);
        if (mode == RenameMode.Exchange)
            Enter(from, name, target, now);
        else
            Forget(target);
    }

    /// <summary>Why the bytes of an object cannot be changed.</summary>
    public static List<Hammer2Error> WhyNotFile(ModelNode node, long offset, long length)
    {
        List<Hammer2Error> reasons = [];
        if (node.IsDirectory)
            reasons.Add(Hammer2Error.IsADirectory);
        if (node.Type != ObjectType.File)
            reasons.Add(Hammer2Error.InvalidArgument);
        if (offset > long.MaxValue - length)
            reasons.Add(Hammer2Error.FileTooLarge);
        return reasons;
    }

    public static void Write(ModelNode file, long offset, ReadOnlySpan<byte> data, TimeRange now)
    {
        file.Bytes.Write(offset, data);
        Touch(file, now, certain: !data.IsEmpty);
    }

    public static void SetSize(ModelNode file, long size, TimeRange now)
    {
        Touch(file, now, certain: size != file.Size);
        file.Bytes.SetSize(size);
    }

    public static void PunchHole(ModelNode file, long offset, long length, TimeRange now)
    {
        Touch(file, now, certain: offset < file.Size);
        file.Bytes.Clear(offset, length);
    }

    public static void Allocate(ModelNode file, long offset, long length, bool keepSize, TimeRange now)
    {
        bool extends = !keepSize && offset + length > file.Size;
        Touch(file, now, certain: extends);
        if (extends)
            file.Bytes.SetSize(offset + length);
    }

    public static List<Hammer2Error> WhyNotSetAttributes(ModelNode node, in AttributeChanges changes) =>
        changes.Size is { } size ? WhyNotFile(node, size, 0) : [];

    public static void SetAttributes(ModelNode node, in AttributeChanges changes, TimeRange now)
    {
        if (changes == default)
            node.Changed.MayBe(now);
        else
            node.Changed.Set(now);
        if (changes.Size is { } size)
            SetSize(node, size, now);
        node.Mode = changes.Mode ?? node.Mode;
        node.Uid = changes.Uid ?? node.Uid;
        node.Gid = changes.Gid ?? node.Gid;
        node.Flags = changes.UserFlags ?? node.Flags;
        node.Compression = changes.Compression ?? node.Compression;
        node.CompressionLevel = changes.CompressionLevel ?? node.CompressionLevel;
        node.Check = changes.Check ?? node.Check;
        Give(node.Accessed, changes.AccessTimeUs);
        Give(node.Modified, changes.ModifyTimeUs);
        Give(node.Changed, changes.ChangeTimeUs);
        Give(node.Born, changes.BirthTimeUs);
    }

    /// <summary>Forgets what neither a name nor a handle holds.</summary>
    public void Forget(ModelNode node)
    {
        if (node.IsGone && node.Handles == 0)
            _all.Remove(node);
    }

    private static void Give(KnownTime time, long? us)
    {
        if (us is { } value)
            time.Set(value);
    }

    private static void Touch(ModelNode node, TimeRange now, bool certain)
    {
        foreach (KnownTime time in new[] { node.Modified, node.Changed })
        {
            if (certain)
                time.Set(now);
            else
                time.MayBe(now);
        }
    }

    private static List<Hammer2Error> WhyNotName(ModelNode directory, string name, bool mustBeReal)
    {
        List<Hammer2Error> reasons = [];
        if (!directory.IsDirectory)
            reasons.Add(Hammer2Error.NotADirectory);
        if (directory.IsGone)
            reasons.Add(Hammer2Error.NotFound);
        if (name.Length > NameBytesMax)
            reasons.Add(Hammer2Error.NameTooLong);
        if (name.Length == 0 || name.AsSpan().ContainsAny('/', '\0'))
            reasons.Add(Hammer2Error.InvalidName);
        if (mustBeReal && name is "." or "..")
            reasons.AddRange([Hammer2Error.InvalidName, Hammer2Error.InvalidArgument, Hammer2Error.Exists, Hammer2Error.NotEmpty, Hammer2Error.IsADirectory, Hammer2Error.NotPermitted]);
        return reasons;
    }

    private static List<Hammer2Error> WhyNotEnter(ModelNode directory, string name)
    {
        List<Hammer2Error> reasons = WhyNotName(directory, name, mustBeReal: true);
        if (directory.Entries.ContainsKey(name))
            reasons.Add(Hammer2Error.Exists);
        return reasons;
    }

    private static List<Hammer2Error> WhyNotRemove(ModelNode directory, string name, out ModelNode? node)
    {
        List<Hammer2Error> reasons = WhyNotName(directory, name, mustBeReal: true);
        if (!directory.Entries.TryGetValue(name, out node))
            reasons.Add(Hammer2Error.NotFound);
        return reasons;
    }

    private static void Enter(ModelNode directory, string name, ModelNode node, TimeRange now)
    {
        directory.Entries.Add(name, node);
        directory.History.Add((name, true));
        node.Names.Add((directory, name));
        Touch(directory, now, certain: true);
    }

    private static ModelNode Leave(ModelNode directory, string name, TimeRange now)
    {
        directory.Entries.Remove(name, out ModelNode? node);
        directory.History.Add((name, false));
        node!.Names.Remove((directory, name));
        Touch(directory, now, certain: true);
        return node;
    }
}
