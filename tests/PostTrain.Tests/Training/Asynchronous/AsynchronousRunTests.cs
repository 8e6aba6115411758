using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Asynchronous;

/// <summary>Rollouts of older weights: lag, order of arrival, interrupted runs.</summary>
[Collection("Sequential")]
public sealed class AsynchronousRunTests : IDisposable
{
    private const int Size = 2,
        Lag = 2;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task TheSampler_DrawsAhead_ByTheLag()
    {
        using var model = Toy.Model();
        var reports = await GrpoRuns.Train(model, GrpoRuns.Even, Options(steps: 5) with { Correction = ImportanceCorrection.Tis() });
        // The first three steps train on what the first weights drew.
        Assert.Equal([0, 1, 2, 2, 2], reports.Select(report => report.Metrics["rollout/lag"]));
        Assert.Equal(1, reports[0].Metrics["correction/effective_sample_size"], 1e-5);
        Assert.InRange(reports[4].Metrics["correction/effective_sample_size"], 0.01, 0.9999);
        Assert.InRange(reports[4].Metrics["correction/kl_k3"], 1e-6, 10);
    }

    /// <summary>Without a correction the ratio of the surrogate is that to the sampler: it is not 1 for older weights.</summary>
    [Fact]
    public async Task WithoutACorrection_TheRatioIsThatToTheSampler()
    {
        using var model = Toy.Model();
        var reports = await GrpoRuns.Train(model, GrpoRuns.Even, Options(steps: 4));
        Assert.Equal(0, reports[0].Metrics["policy/old_kl"], 1e-6);
        Assert.All(reports.Skip(2), report => Assert.InRange(report.Metrics["policy/old_kl"], 1e-6, 10));
        var on = await GrpoRuns.Train(Toy.Model(), GrpoRuns.Even, Options(steps: 3) with { Asynchronous = null });
        Assert.All(on, report => Assert.Equal(0, report.Metrics["policy/old_kl"]));
    }

    [Fact]
    public async Task AnotherOrderOfArrival_IsAnotherRun_AndAPrescribedOneGivesTheSameBytes()
    {
        async Task<(byte[] Bytes, IReadOnlyList<long> Order, double[] Losses)> Run(string name, int slow, IReadOnlyList<long>? order = null)
        {
            using var model = Toy.Model();
            using var source = new Remote(number => TimeSpan.FromMilliseconds(number % 5 == slow ? 60 : 0));
            var options = Options(steps: 5) with
            {
                Source = source,
                CheckpointDirectory = directory.File(name),
                Asynchronous = new AsynchronousOptions { MaxLag = Lag, Arrivals = order },
            };
            var reports = await GrpoRuns.Train(model, GrpoRuns.Even, options);
            Assert.All(reports, report => Assert.InRange(report.Metrics["rollout/lag"], 0, Lag));
            return (
                Toy.Bytes(model),
                ArrivalOrder.Read(Checkpoint.Latest(options.CheckpointDirectory)!),
                [.. reports.Select(report => report.Loss)]
            );
        }
        var one = await Run("one", slow: 0);
        Assert.Equal(5 * Size, one.Order.Distinct().Count());
        Assert.NotEqual(one.Order.Order(), one.Order);
        var other = await Run("other", slow: 1);
        Assert.NotEqual(one.Order, other.Order);
        Assert.NotEqual(one.Bytes, other.Bytes);
        var again = await Run("again", slow: 1, order: one.Order);
        Assert.Equal(one.Order, again.Order);
        Assert.Equal(one.Losses, again.Losses);
        Assert.Equal(one.Bytes, again.Bytes);
        Assert.False(File.Exists(directory.File("one/rollouts.log")), "a finished run leaves a journal");
    }

    /// <summary>The files as they are when a process is killed after five steps, behind a checkpoint of the fourth.</summary>
    [Fact]
    public async Task AKilledRun_DrawsNoFinishedGroupAgain_AndTakesTheSameSteps()
    {
        using var model = Toy.Model();
        using var source = new Remote(number => TimeSpan.FromMilliseconds(number % 3 == 0 ? 30 : 0));
        var options = Options(steps: 8) with { Source = source, CheckpointDirectory = directory.File("run"), CheckpointEvery = 4 };
        byte[] atFive = [];
        using (var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options))
            await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
                if (report.Step == 5)
                {
                    atFive = Toy.Bytes(model);
                    // What is under way may end.
                    await Task.Delay(100);
                    Copy(directory.File("run"), directory.File("killed"));
                    break;
                }
        var finished = Finished(directory.File("killed"));
        Assert.True(finished.Count >= 5 * Size, $"{finished.Count} groups are finished");

        using var resumed = Toy.Model(seed: 5);
        using var server = new Remote(_ => TimeSpan.Zero);
        var rest = options with { Source = server, CheckpointDirectory = directory.File("killed") };
        using (var trainer = new GrpoTrainer(resumed, Toy.Tokenizer, GrpoRuns.Even, rest))
        {
            trainer.Resume(Checkpoint.Latest(directory.File("killed"))!);
            Assert.Equal(4, trainer.StepsDone);
            await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
                if (report.Step == 5)
                    Assert.Equal(atFive, Toy.Bytes(resumed));
        }
        Assert.Empty(server.Asked.Intersect(finished));
        var order = ArrivalOrder.Read(Checkpoint.Latest(directory.File("killed"))!);
        Assert.Equal(Enumerable.Range(0, 8 * Size).Select(number => (long)number), order.Order());
        // Asked for by both, at most once by each.
        Assert.Equal(server.Asked.Distinct().Count(), server.Asked.Count);
        Assert.Equal(source.Asked.Distinct().Count(), source.Asked.Count);
    }

    [Fact]
    public async Task AJournal_OfAnotherRun_IsReplaced_ATornLineIsLeftOut_AndADamagedOneIsNamed()
    {
        string folder = directory.File("damaged"),
            journal = Path.Combine(folder, "rollouts.log");
        Directory.CreateDirectory(folder);
        async Task<byte[]> Run(int lag)
        {
            using var model = Toy.Model();
            var options = Options(steps: 2) with
            {
                CheckpointDirectory = folder,
                Asynchronous = new AsynchronousOptions { MaxLag = lag },
            };
            using var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options with { Steps = 4 });
            await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
                if (report.Step == 2)
                    break;
            return Toy.Bytes(model);
        }
        var expected = await Run(1);
        string[] lines = await File.ReadAllLinesAsync(journal);
        Assert.Equal(["run", "group", "step"], lines.Select(line => line.Split(' ')[0]).Distinct());
        // The same run from the start, by the journal alone; then with a line that a kill has torn.
        Assert.Equal(expected, await Run(1));
        await File.AppendAllTextAsync(journal, "group {\"number\":5,\"st");
        Assert.Equal(expected, await Run(1));
        await File.WriteAllLinesAsync(journal, [lines[0], "group {\"number\":5}", lines[1]]);
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => Run(1));
        Assert.Contains("rollouts.log, line 2: expected a group", error.Message, StringComparison.Ordinal);
        // Another run does not read on.
        await Run(0);
        Assert.NotEqual(lines[0], (await File.ReadAllLinesAsync(journal))[0]);
    }

    [Fact]
    public async Task AFailingSource_EndsTheRun_AndWhatHasArrivedIsKept()
    {
        using var model = Toy.Model();
        var failing = new HashSet<long> { 3 };
        // It fails when all others that are under way have arrived.
        using var source = new Remote(number => TimeSpan.FromMilliseconds(failing.Contains(number) ? 500 : 0)) { Fails = failing.Contains };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, Options(steps: 3) with { Source = source });
        async Task Run()
        {
            await foreach (var _ in trainer.RunAsync(GrpoRuns.Problems)) { }
        }
        var error = await Assert.ThrowsAsync<IOException>(Run);
        Assert.Equal("group 3 failed", error.Message);
        failing.Clear();
        await Run();
        Assert.Equal(3, trainer.StepsDone);
        Assert.Equal(2, source.Asked.Count(number => number == 3));
        Assert.Equal(source.Asked.Count - 1, source.Asked.Distinct().Count());
    }

    [Fact]
    public void Options_ThatCannotBeKept_AreRefused()
    {
        void Refused(string name, GrpoOptions options) =>
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(options.Validate).ParamName);
        Refused("Asynchronous.MaxLag", Options(3) with { Asynchronous = new AsynchronousOptions { MaxLag = -1 } });
        Refused("Arrivals", Options(3) with { Asynchronous = new AsynchronousOptions { Arrivals = [1, 1] } });
        Refused("Arrivals", Options(3) with { Asynchronous = new AsynchronousOptions { Arrivals = [-1] } });
        Refused("DynamicSampling", Options(3) with { DynamicSampling = new DynamicSampling() });
    }

    [Fact]
    public async Task AnOrderThatCannotBe_IsRefused()
    {
        using var model = Toy.Model();
        var options = Options(steps: 3) with
        {
            Asynchronous = new AsynchronousOptions { MaxLag = 1, Arrivals = [0, 9] },
        };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => GrpoRuns.Train(model, GrpoRuns.Even, options));
        Assert.Contains("prescribes the groups 0, 9 for step 1", error.Message, StringComparison.Ordinal);
    }

    private static GrpoOptions Options(int steps) =>
        GrpoRuns.Small with
        {
            Steps = steps,
            BatchSize = Size,
            Asynchronous = new AsynchronousOptions { MaxLag = Lag },
            Staleness = new StalenessLimits { MaximumGap = double.PositiveInfinity },
        };

    // Numbers of the groups in the latest checkpoint and in the journal.
    private static HashSet<long> Finished(string folder)
    {
        using var scope = NewDisposeScope();
        var backlog = new RolloutBacklog(4, Toy.Tokenizer.VocabularySize);
        string latest = Checkpoint.Latest(folder)!;
        backlog.Read(Checkpoint.OwnTensors(latest))();
        return
        [
            .. backlog.Arrivals,
            .. Enumerable.Range(0, 100).Select(number => (long)number).Where(backlog.IsFinished),
            .. File.ReadAllLines(Path.Combine(folder, "rollouts.log"))
                .Where(line => line.StartsWith("group ", StringComparison.Ordinal))
                .Select(line => backlog.Parse(line["group ".Length..]).Number),
        ];
    }

    private static void Copy(string from, string to)
    {
        foreach (string path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(path, target);
        }
    }

    /// <summary>A server: it draws beside the training, with the weights that it was given last, and takes its time.</summary>
    private sealed class Remote(Func<long, TimeSpan> delay) : IRolloutSource, IDisposable
    {
        private readonly List<Decoder> models = [];

        public string Name => "remote";

        internal Func<long, bool> Fails { get; init; } = _ => false;

        internal ConcurrentBag<long> Asked { get; } = [];

        public Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default)
        {
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            var copy = Toy.Model();
            foreach (var (own, given) in copy.parameters().Zip(policy.parameters()))
                own.copy_(given);
            models.Add(copy);
            return Task.CompletedTask;
        }

        public async IAsyncEnumerable<RolloutSample> GenerateAsync(
            RolloutRequest request,
            [EnumeratorCancellation] CancellationToken cancellation = default
        )
        {
            var model = models[^1];
            long number = Enumerable
                .Range(0, 100)
                .First(i => CounterRandom.Bits(GrpoRuns.Small.Seed, RolloutsAhead.SeedPlane, (ulong)i) == request.Seed);
            Asked.Add(number);
            await Task.Delay(delay(number), cancellation);
            await Task.Yield();
            if (Fails(number))
                throw new IOException($"group {number} failed");
            await foreach (var sample in RolloutSource.Of(model, Toy.Tokenizer).GenerateAsync(request, cancellation))
                yield return sample;
        }

        public void Dispose() => models.ForEach(model => model.Dispose());
    }
}
