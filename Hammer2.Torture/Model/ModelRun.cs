// Runs a sequence on the model and on a target, step by step, and compares everything that a step returns. Invariants: a
// step is first asked of the model (why not?), then done by the target, then done by the model; every difference ends the
// run with one exception that says which step and what; handles are closed on every way out.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>The target gave an answer that the model does not.</summary>
internal sealed class MismatchException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>One run of a sequence.</summary>
internal sealed partial class ModelRun : IDisposable
{
    public const int SlotCount = 12;
    private readonly ITarget _target;
    private readonly Handle?[] _slots = new Handle?[SlotCount];
    private readonly Dictionary<ulong, ModelNode> _byInode = [];

    public ModelRun(ITarget target)
    {
        _target = target;
        SeeRoot();
    }

    public ModelTree Tree { get; } = new();

    /// <summary>The root is a directory of something larger, so that ".." of it leads out.</summary>
    public bool RootHasParent { get; init; }

    /// <summary>The model's object in a slot; null when the slot is empty.</summary>
    public ModelNode? InSlot(int slot) => _slots[slot]?.Node;

    /// <summary>Runs all steps, then compares everything before and after a last remount.</summary>
    public static void RunAll(ITarget target, IReadOnlyList<Op> ops)
    {
        using var run = new ModelRun(target);
        for (int i = 0; i < ops.Count; i++)
            run.Step(ops[i], i);
        run.Step(new Op(OpKind.Compare), ops.Count);
        run.Step(new Op(OpKind.Remount), ops.Count);
    }

    /// <summary>Runs one step.</summary>
    /// <exception cref="MismatchException">The target is wrong.</exception>
    public void Step(Op op, int number)
    {
        try
        {
            Do(op);
        }
        catch (MismatchException mismatch)
        {
            throw new MismatchException($"step {number}: {op}: {mismatch.Message}");
        }
        catch (Exception thrown)
        {
            throw new MismatchException($"step {number}: {op}: threw {thrown.GetType().Name}: {thrown.Message}", thrown);
        }
    }

    /// <summary>After somebody else has remounted: everything with a name is still there and the same.</summary>
    public void CompareReopened()
    {
        SeeRoot();
        CompareTree(afterRemount: true);
    }

    public void Dispose()
    {
        for (int i = 0; i < SlotCount; i++)
            CloseSlot(i);
    }

    private void Do(Op op)
    {
        switch (op.Kind)
        {
            case OpKind.Open:
                Open(op);
                break;
            case OpKind.Close:
                CloseSlot(op.Slot);
                break;
            case OpKind.Scan:
                Scan(op);
                break;
            case OpKind.Sync:
                _target.Sync();
                break;
            case OpKind.Reclaim:
                _target.Reclaim();
                break;
            case OpKind.Remount:
                Remount();
                break;
            case OpKind.Compare:
                CompareTree(afterRemount: false);
                break;
            case OpKind.Link:
                WithTwo(op, Link);
                break;
            case OpKind.Rename:
                WithTwo(op, Rename);
                break;
            default:
                using (Handle? at = Reach(op.At))
                {
                    if (at is not null)
                        DoAt(op, at);
                }

                break;
        }
    }

    private void DoAt(Op op, Handle at)
    {
        switch (op.Kind)
        {
            case OpKind.Create:
                Create(op, at);
                break;
            case OpKind.Unlink:
                Change(ModelTree.WhyNotUnlink(at.Node, op.Name), () => at.Target.TryUnlink(op.Name), now => Tree.Unlink(at.Node, op.Name, now));
                break;
            case OpKind.RemoveDirectory:
                Change(
                    ModelTree.WhyNotRemoveDirectory(at.Node, op.Name),
                    () => at.Target.TryRemoveDirectory(op.Name),
                    now => Tree.RemoveDirectory(at.Node, op.Name, now));
                break;
            case OpKind.Lookup:
                Lookup(op, at);
                break;
            case OpKind.Stat:
                CompareAttributes(at.Node, at.Target.GetAttributes());
                break;
            case OpKind.List:
                List(at, (int)op.Length);
                break;
            case OpKind.ReadLink:
                if (at.Node.Type == ObjectType.Symlink)
                    Expect(at.Target.ReadLink() == at.Node.Target, "another link text");
                break;
            case OpKind.SetAttributes:
                Change(
                    ModelTree.WhyNotSetAttributes(at.Node, op.Changes),
                    () => at.Target.TrySetAttributes(op.Changes),
                    now => ModelTree.SetAttributes(at.Node, op.Changes, now));
                break;
            case OpKind.SyncFile:
                at.Target.Sync();
                break;
            default:
                DoBytes(op, at);
                break;
        }
    }

    private static void DoBytes(Op op, Handle at)
    {
        ModelNode node = at.Node;
        switch (op.Kind)
        {
            case OpKind.Read:
                if (node.Type == ObjectType.File)
                    CompareBytes(node, at.Target, op.Offset, (int)op.Length);
                break;
            case OpKind.Write:
                byte[] data = op.MakeData();
                Change(
                    ModelTree.WhyNotFile(node, op.Offset, op.Length),
                    () => at.Target.TryWrite(op.Offset, data),
                    now => ModelTree.Write(node, op.Offset, data, now));
                break;
            case OpKind.Append:
                byte[] tail = op.MakeData();
                long end = node.Size, went = -1;
                Change(
                    ModelTree.WhyNotFile(node, end, op.Length),
                    () => at.Target.TryAppend(tail, out went),
                    now => ModelTree.Write(node, end, tail, now));
                Expect(went == end || node.Type != ObjectType.File || end > long.MaxValue - op.Length, $"appended at {went}, the end was {end}");
                break;
            case OpKind.SetSize:
                Change(
                    ModelTree.WhyNotFile(node, op.Length, 0),
                    () => at.Target.TrySetSize(op.Length),
                    now => ModelTree.SetSize(node, op.Length, now));
                break;
            case OpKind.PunchHole:
                Change(
                    ModelTree.WhyNotFile(node, op.Offset, op.Length),
                    () => at.Target.TryPunchHole(op.Offset, op.Length),
                    now => ModelTree.PunchHole(node, op.Offset, op.Length, now));
                break;
            case OpKind.Allocate:
                Change(
                    ModelTree.WhyNotFile(node, op.Offset, op.Length),
                    () => at.Target.TryAllocate(op.Offset, op.Length, op.Flag),
                    now => ModelTree.Allocate(node, op.Offset, op.Length, op.Flag, now));
                break;
        }
    }

    private void Create(Op op, Handle at)
    {
        ITargetNode? made = null;
        Change(
            ModelTree.WhyNotCreate(at.Node, op.Name, op.What!),
            () => at.Target.TryCreate(op.Name, op.What!, out made),
            now =>
            {
                ModelNode node = Tree.Create(at.Node, op.Name, op.What!, now);
                Expect(made is not null, "no vnode");
                See(node, made!.InodeNumber);
                CompareAttributes(node, made.GetAttributes());
            });
        made?.Dispose();
    }

    private void Link(Op op, Handle at, Handle to) => Change(
        ModelTree.WhyNotLink(to.Node, at.Node, op.Name),
        () => at.Target.TryLink(to.Target, op.Name),
        now => ModelTree.Link(to.Node, at.Node, op.Name, now));

    private void Rename(Op op, Handle at, Handle to) => Change(
        ModelTree.WhyNotRename(at.Node, op.Name, to.Node, op.NewName, op.Mode),
        () => at.Target.TryRename(op.Name, to.Target, op.NewName, op.Mode),
        now => Tree.Rename(at.Node, op.Name, to.Node, op.NewName, op.Mode, now));

    private void Lookup(Op op, Handle at)
    {
        if (op.Name is "." or "..")
        {
            LookUpDots(op.Name, at);
            return;
        }

        List<Hammer2Error> reasons = ModelTree.WhyNotLookup(at.Node, op.Name);
        Hammer2Error error = at.Target.TryLookup(op.Name, out ITargetNode? found);
        using (found)
        {
            Judge(reasons, error);
            if (error == Hammer2Error.None)
                See(at.Node.Entries[op.Name], found!.InodeNumber);
        }
    }

    private void LookUpDots(string name, Handle at)
    {
        if (!at.Node.IsDirectory || at.Node.IsGone || at.Node.IsRoot && RootHasParent)
            return;
        Hammer2Error error = at.Target.TryLookup(name, out ITargetNode? found);
        using (found)
        {
            Expect(error == Hammer2Error.None, $"answered {error}");
            See(name == "." || at.Node.IsRoot ? at.Node : at.Node.Names[0].Directory, found!.InodeNumber);
        }
    }

    private void Open(Op op)
    {
        CloseSlot(op.Slot);
        Handle? handle = Reach(op.At, keep: true);
        if (handle is null)
            return;
        handle.Node.Handles++;
        _slots[op.Slot] = handle;
    }

    private void CloseSlot(int slot)
    {
        if (_slots[slot] is not { } handle)
            return;
        _slots[slot] = null;
        handle.Target.Dispose();
        handle.Node.Handles--;
        Tree.Forget(handle.Node);
        if (handle.Node.IsGone && handle.Node.Handles == 0)
            _byInode.Remove(handle.Node.InodeNumber ?? 0);
    }

    private void Remount()
    {
        for (int slot = 0; slot < SlotCount; slot++)
            CloseSlot(slot);
        _target.Remount();
        SeeRoot();
        CompareTree(afterRemount: true);
        IReadOnlyList<string> problems = _target.Check();
        Expect(problems.Count == 0, "the check of the medium says: " + string.Join("; ", problems.Take(5)));
    }

    // What an opened target is of before the first step: methods and times of the root are as they are.
    private void SeeRoot()
    {
        using ITargetNode root = _target.OpenRoot();
        InodeAttributes attributes = root.GetAttributes();
        ModelNode node = Tree.Root;
        if (node.InodeNumber is null)
        {
            (node.Mode, node.Uid, node.Gid, node.Flags) = (attributes.Mode, attributes.Uid, attributes.Gid, attributes.UserFlags);
            (node.Compression, node.CompressionLevel, node.Check) = (attributes.Compression, attributes.CompressionLevel, attributes.Check);
        }

        See(node, attributes.InodeNumber);
    }

    private void WithTwo(Op op, Action<Op, Handle, Handle> action)
    {
        using Handle? at = Reach(op.At);
        using Handle? to = at is null ? null : Reach(op.To);
        if (at is not null && to is not null)
            action(op, at, to);
    }

    // Follows a path on both sides, or takes what a slot holds. Null when both sides agree that there is nothing.
    private Handle? Reach(Ref at, bool keep = false)
    {
        if (at.Path is null)
        {
            if (_slots[at.Slot] is not { } held)
                return null;
            if (!keep)
                return new Handle(held.Node, held.Target, owns: false);
            // A second handle on what a slot holds, by its name; what has no name any more cannot be opened again.
            return held.Node.Path is { } path ? Reach(Ref.At(path), keep) : null;
        }

        ModelNode node = Tree.Root;
        ITargetNode target = _target.OpenRoot();
        foreach (string name in at.Path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            using ITargetNode directory = target;
            List<Hammer2Error> reasons = ModelTree.WhyNotLookup(node, name);
            Hammer2Error error = directory.TryLookup(name, out ITargetNode? next);
            if (reasons.Count != 0 || error != Hammer2Error.None)
            {
                next?.Dispose();
                Judge(reasons, error);
                return null;
            }

            node = node.Entries[name];
            target = next!;
            See(node, target.InodeNumber);
        }

        return new Handle(node, target, owns: true);
    }

    private static void Change(List<Hammer2Error> reasons, Func<Hammer2Error> act, Action<TimeRange> follow)
    {
        long from = MediaTime.FromUtc(DateTime.UtcNow);
        Hammer2Error error = act();
        long to = MediaTime.FromUtc(DateTime.UtcNow);
        Judge(reasons, error);
        if (error == Hammer2Error.None)
            follow(new TimeRange(from, to));
    }

    private static void Judge(List<Hammer2Error> reasons, Hammer2Error error)
    {
        if (reasons.Count == 0)
            Expect(error == Hammer2Error.None, $"answered {error} although nothing speaks against it");
        else
            Expect(reasons.Contains(error), $"answered {error}, right would be {string.Join(" or ", reasons.Distinct())}");
    }

    private static void Expect(bool condition, string otherwise)
    {
        if (!condition)
            throw new MismatchException(otherwise);
    }

    /// <summary>An object on both sides.</summary>
    private sealed class Handle(ModelNode node, ITargetNode target, bool owns) : IDisposable
    {
        public ModelNode Node => node;

        public ITargetNode Target => target;

        public ScanState? Scan { get; set; }

        public void Dispose()
        {
            if (owns)
                target.Dispose();
        }
    }
}
