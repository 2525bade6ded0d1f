// The model bench judged: against itself it finds nothing, and every planted mistake is found and shrunk to a few steps.
// Then the engine: a few rounds in every test run, any number with HAMMER2_FUZZ_SECONDS; HAMMER2_SEED repeats one.

using Hammer2.Tests.Hostile;
using Hammer2.Torture;
using Hammer2.Torture.Model;

namespace Hammer2.Tests.Model;

[TestClass]
public sealed class ModelBenchTests
{
    // Bugs of listings need a directory of some entries, which are steps too; what is not shrunk has hundreds.
    private const int StepsAtMost = 20;
    private const int Attempts = 6;
    private const int SeedStep = 10_007;

    public static IEnumerable<object[]> Bugs => Enum.GetValues<PlantedBug>().Where(bug => bug != PlantedBug.None).Select(bug => new object[] { bug });

    public static IEnumerable<object[]> Races => Enum.GetValues<PlantedRace>().Where(race => race != PlantedRace.None).Select(race => new object[] { race });

    public static IEnumerable<object[]> Profiles => Profile.All.Select(profile => new object[] { profile.Name });

    [TestMethod]
    [DynamicData(nameof(Profiles))]
    public void NothingIsFoundInTheModelItself(string profile)
    {
        var bench = new ModelBench(_ => new ModelTarget()) { Shorter = 2 };
        bench.Run(new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(1), Console.Out) { RoundsMax = 2, Profile = profile });
    }

    [TestMethod]
    [DynamicData(nameof(Bugs))]
    public void PlantedBugIsFoundAndShrunk(object bug)
    {
        // Where names count together (a scan that goes wrong from a certain number of them on) some sequences can be shortened in no way that
        // dropping steps finds; another one of the same bug can.
        int seed = HammerSeed.Get();
        int shortest = int.MaxValue;
        for (int attempt = 0; attempt < Attempts && shortest > StepsAtMost; attempt++)
        {
            var bench = new ModelBench(_ => new ModelTarget((PlantedBug)bug)) { Shorter = 2 };
            BenchFailureException found = Assert.ThrowsExactly<BenchFailureException>(
                () => bench.Run(new BenchContext(unchecked(seed + attempt * SeedStep), TimeSpan.FromSeconds(60), Console.Out)));
            Console.WriteLine(found.Message);
            shortest = Math.Min(shortest, bench.Shrunk.Count);
        }

        Assert.IsLessThanOrEqualTo(StepsAtMost, shortest, $"seed {seed}");
    }

    [TestMethod]
    [DynamicData(nameof(Profiles))]
    public void EngineAnswersAsTheModelDoes(string profile) => new ModelBench { Shorter = 3 }
        .Run(new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(HammerSeed.Seconds(2)), Console.Out) { Profile = profile });

    [TestMethod]
    public void EngineAnswersSeveralThreadsAsTheModelDoes() => new SharedBench { Steps = 500 }
        .Run(new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(HammerSeed.Seconds(4)), Console.Out));

    [TestMethod]
    public void NothingIsFoundInTheLockedModel() => new SharedBench(_ => new LockedTarget()) { Steps = 300 }
        .Run(new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(1), Console.Out) { RoundsMax = 2 });

    [TestMethod]
    [DynamicData(nameof(Races))]
    public void PlantedRaceIsFound(object race)
    {
        var bench = new SharedBench(_ => new LockedTarget((PlantedRace)race)) { Steps = 500 };
        BenchFailureException found = Assert.ThrowsExactly<BenchFailureException>(
            () => bench.Run(new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(60), Console.Out)));
        Console.WriteLine(found.Message);
    }

    [TestMethod]
    public void SequencesDependOnTheSeedAlone()
    {
        string[] Steps(int seed)
        {
            using var target = new ModelTarget();
            using var run = new ModelRun(target);
            var generator = new OpGenerator(seed, Profile.All[0], run);
            var steps = new List<string>();
            for (int i = 0; i < 300; i++)
            {
                Op op = generator.Next();
                steps.Add(op.ToString());
                run.Step(op, i);
            }

            return [.. steps];
        }

        CollectionAssert.AreEqual(Steps(5), Steps(5));
        CollectionAssert.AreNotEqual(Steps(5), Steps(6));
    }

    [TestMethod]
    public void CollidingNamesCollide()
    {
        Assert.IsGreaterThan(3, CollidingNames.Groups.Count);
        foreach (IReadOnlyList<string> group in CollidingNames.Groups)
        {
            Assert.HasCount(1, group.Select(name => Hammer2.Engine.Format.DirectoryHash.Compute(System.Text.Encoding.Latin1.GetBytes(name))).Distinct().ToList());
            Assert.HasCount(group.Count, group.Distinct().ToList());
        }
    }
}
