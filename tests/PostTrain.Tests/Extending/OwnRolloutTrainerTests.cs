using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;

namespace PostTrain.Tests.Extending;

/// <summary>The trainer of docs/extending.md, written with public API only.</summary>
[Collection("Sequential")]
public sealed class OwnRolloutTrainerTests : IDisposable
{
    private static readonly GrpoOptions Options = GrpoRuns.Small with { Steps = 6, CheckpointEvery = 2 };
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Trains_AndReportsWhatEveryTrainerDoes()
    {
        using var model = Toy.Model();
        var reports = await Run(model, Options with { Steps = 30, BatchSize = 4, GroupSize = 8 });
        Assert.True(reports[^5..].Average(report => report.Metrics["reward/mean"]) > reports[0].Metrics["reward/mean"] + 0.2);
        Assert.Equal(0.9, reports[1].Metrics["share"], 1e-15);
        string[] names = ["completion/length", "reward/even", "grad_norm", "learning_rate", "time/rollout", "time/update"];
        Assert.All(names, name => Assert.Contains(name, reports[0].Metrics.Keys));
    }

    // With its own state: a run that goes on gives the same bytes.
    [Fact]
    public async Task Resumes_ToTheBit()
    {
        using var whole = Toy.Model();
        var expected = await Run(whole, Options with { CheckpointDirectory = directory.File("whole") });
        using var resumed = Toy.Model();
        var after = await Run(
            resumed,
            Options with
            {
                CheckpointDirectory = directory.File("resumed"),
            },
            Directory.GetDirectories(directory.File("whole"), "checkpoint-*").Order(StringComparer.Ordinal).First()
        );
        Assert.Equal(Toy.Bytes(whole), Toy.Bytes(resumed));
        Assert.Equal(expected[2..].Select(Toy.Numbers), after.Select(Toy.Numbers));
    }

    [Fact]
    public async Task LeavesNoTensors()
    {
        using var model = Toy.Model();
        using var trainer = new BestOfGroupTrainer(model, Toy.Tokenizer, GrpoRuns.Even, Options);
        await trainer.StepAsync(GrpoRuns.Problems);
        long alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        await trainer.StepAsync(GrpoRuns.Problems);
        Assert.Equal(alive, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    private static async Task<StepReport[]> Run(CausalLm model, GrpoOptions options, string? resume = null)
    {
        using var trainer = new BestOfGroupTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options);
        if (resume is not null)
            trainer.Resume(resume);
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
            reports.Add(report);
        return [.. reports];
    }
}
