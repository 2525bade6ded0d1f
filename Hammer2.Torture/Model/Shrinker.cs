// Makes a failing sequence small: drops ever smaller stretches of steps as long as the rest still fails (delta debugging),
// then makes numbers and names simpler. Any failure counts, not only the same one: a shorter way to any wrong answer is
// what one wants to look at. Bounded in time; every try runs on a fresh target.

namespace Hammer2.Torture.Model;

/// <summary>Shrinks sequences.</summary>
/// <param name="fails">Runs a sequence on a fresh target; the message of the failure, or null.</param>
/// <param name="budget">How long to go on.</param>
internal sealed class Shrinker(Func<IReadOnlyList<Op>, string?> fails, TimeSpan budget)
{
    private const int PairsTriedMax = 100;
    private readonly DateTime _end = DateTime.UtcNow + budget;

    /// <summary>Message of the failure of what <see cref="Shrink"/> returned.</summary>
    public string Message { get; private set; } = "";

    private bool IsOver => DateTime.UtcNow >= _end;

    public IReadOnlyList<Op> Shrink(IReadOnlyList<Op> ops)
    {
        List<Op> best = [.. ops];
        if (fails(best) is not { } message)
            return ops;
        Message = message;
        bool smaller = true;
        while (smaller && !IsOver)
        {
            int before = best.Count;
            best = Drop(best);
            best = Simplify(best);
            if (best.Count <= PairsTriedMax)
                best = ShortenNames(DropPairs(best));
            smaller = best.Count < before;
        }

        return best;
    }

    private List<Op> Drop(List<Op> best)
    {
        for (int size = Math.Max(1, best.Count / 2); size >= 1 && !IsOver; size /= 2)
        {
            for (int at = best.Count - size; at > -size && !IsOver; at -= size)
            {
                List<Op> rest = [.. best[..Math.Max(0, at)], .. best[(at + size)..]];
                if (Fails(rest))
                    best = rest;
                at = Math.Min(at, best.Count);
            }
        }

        return best;
    }

    // Steps that need each other (an open and its use) go only together.
    private List<Op> DropPairs(List<Op> best)
    {
        for (int i = best.Count - 1; i > 0 && !IsOver; i--)
        {
            for (int j = Math.Min(i, best.Count) - 1; j >= 0 && i < best.Count && !IsOver; j--)
            {
                List<Op> rest = [.. best.Where((_, index) => index != i && index != j)];
                if (Fails(rest))
                    best = rest;
            }
        }

        return best;
    }

    private List<Op> Simplify(List<Op> best)
    {
        for (int i = 0; i < best.Count; i++)
        {
            foreach (Op simpler in Simpler(best[i]).Concat(WithOtherHandle(best, i)))
            {
                if (IsOver)
                    return best;
                List<Op> changed = [.. best];
                changed[i] = simpler;
                if (Fails(changed))
                    best = changed;
            }
        }

        return best;
    }

    // Every name becomes a short one where that changes nothing.
    private List<Op> ShortenNames(List<Op> best)
    {
        HashSet<string> names = [.. best.SelectMany(static op => (string[])[op.Name, op.NewName, .. Parts(op.At), .. Parts(op.To)]).Where(static name => name.Length > 3)];
        int number = 0;
        foreach (string name in names)
        {
            if (IsOver)
                break;
            string shorter = $"f{number++}";
            List<Op> changed = best.ConvertAll(op => op with
            {
                Name = op.Name == name ? shorter : op.Name,
                NewName = op.NewName == name ? shorter : op.NewName,
                At = Renamed(op.At, name, shorter),
                To = Renamed(op.To, name, shorter),
            });
            if (Fails(changed))
                best = changed;
        }

        return best;
    }

    private static string[] Parts(Ref at) => at.Path?.Split('/') ?? [];

    private static Ref Renamed(Ref at, string name, string shorter) => at.Path is null ? at
        : Ref.At(string.Join('/', at.Path.Split('/').Select(part => part == name ? shorter : part)));

    // One handle instead of two, or none.
    private static IEnumerable<Op> WithOtherHandle(List<Op> ops, int index)
    {
        Op op = ops[index];
        if (op.At.Path is not null || op.Kind == OpKind.Open)
            yield break;
        foreach (Op open in ops.Take(index).Where(other => other.Kind == OpKind.Open && other.Slot != op.At.Slot))
        {
            yield return op with { At = Ref.Of(open.Slot) };
            if (open.At.Path is not null)
                yield return op with { At = open.At };
        }
    }

    private static IEnumerable<Op> Simpler(Op op)
    {
        if (op.Data != DataKind.Text && op.Kind is OpKind.Write or OpKind.Append)
            yield return op with { Data = DataKind.Text, DataSeed = 1 };
        if (op.Offset > 0)
            yield return op with { Offset = 0 };
        if (op.Offset > 65536)
            yield return op with { Offset = op.Offset % 65536 };
        for (long length = op.Length / 2; length > 0; length /= 8)
            yield return op with { Length = length };
        if (op.Kind == OpKind.Rename)
            yield return new Op(OpKind.Create) { At = op.To, Name = op.NewName, What = new NewObject(Engine.Format.ObjectType.File, 0x1A4, 0, null) };
        if (op.Kind is OpKind.Create or OpKind.Open && op.At.Path != "/")
            yield return op with { At = Ref.At("/") };
        if (op.Kind == OpKind.SetAttributes && op.Changes != default)
            yield return op with { Changes = new Engine.Pfs.AttributeChanges { Mode = 0x1FF } };
    }

    private bool Fails(List<Op> ops)
    {
        if (fails(ops) is not { } message)
            return false;
        Message = message;
        return true;
    }
}
