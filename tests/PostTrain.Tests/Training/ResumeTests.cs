using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

// Dropout draws from the generator that the whole process shares.
[Collection("Sequential")]
public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("sft", "dropout")]
    [InlineData("sft", "bfloat16")]
    [InlineData("grpo", "dropout")]
    [InlineData("grpo", "bfloat16")]
    public async Task Resume_HalfWay_GivesTheBitsOfTheWholeRun(string trainer, string architecture)
    {
        using var model = Create(architecture);
        var whole = await TrainedRuns.Run(trainer, model, directory.File("whole"));

        manual_seed(12345);
        using var other = Create(architecture, started: true);
        var rest = await TrainedRuns.Run(trainer, other, directory.File("rest"), resume: directory.File("whole/checkpoint-00000003"));
        Assert.Equal(whole[3..], rest);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(other));
        // Weights, moments and the generator's state, byte by byte.
        foreach (var name in new[] { "model.safetensors", "optimizer.safetensors" })
            Assert.Equal(
                await File.ReadAllBytesAsync(directory.File($"whole/checkpoint-00000006/{name}")),
                await File.ReadAllBytesAsync(directory.File($"rest/checkpoint-00000006/{name}"))
            );
    }

    [Theory]
    [InlineData("sft")]
    [InlineData("grpo")]
    public async Task Cancel_BetweenSteps_LeavesACheckpointToGoOnFrom(string trainer)
    {
        using var model = Create();
        var whole = await TrainedRuns.Run(trainer, model, directory: null);

        using var other = Create();
        using var source = new CancellationTokenSource();
        var steps = new List<long>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            TrainedRuns.Run(
                trainer,
                other,
                directory.Path,
                cancellation: source.Token,
                between: report =>
                {
                    steps.Add(report.Step);
                    if (report.Step == 2)
                        source.Cancel();
                }
            )
        );
        Assert.Equal([1, 2], steps);
        await Finish(trainer, whole, model);
    }

    [Fact]
    public async Task Cancel_WhileJudging_LeavesACheckpointOfTheLastWholeStep()
    {
        using var model = Create();
        var whole = await TrainedRuns.Run("grpo", model, directory: null);

        using var other = Create();
        using var source = new CancellationTokenSource();
        int judged = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            TrainedRuns.Run(
                "grpo",
                other,
                directory.Path,
                cancellation: source.Token,
                judging: () =>
                {
                    // Two prompts of four completions a step: in the middle of the third.
                    if (++judged == 20)
                        source.Cancel();
                }
            )
        );
        Assert.Equal(20, judged);
        await Finish("grpo", whole, model);
    }

    [Theory]
    [InlineData("sft")]
    [InlineData("grpo")]
    public async Task Cancel_BeforeTheFirstStep_LeavesTheStart(string trainer)
    {
        using var model = Create();
        var before = Toy.Bytes(model);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            TrainedRuns.Run(trainer, model, directory.Path, cancellation: new CancellationToken(canceled: true))
        );
        Assert.Equal(before, Toy.Bytes(model));
        Assert.Equal(directory.File("checkpoint-00000000"), Checkpoint.Latest(directory.Path));
    }

    [Fact]
    public async Task Evaluating_BetweenSteps_DoesNotSwitchDropoutOff()
    {
        using var model = Create();
        await TrainedRuns.Run("sft", model, directory: null);
        using var evaluated = Create();
        await TrainedRuns.Run("sft", evaluated, directory: null, between: _ => evaluated.eval());
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(evaluated));
    }

    // The second step is the last one that was done.
    private async Task Finish(string trainer, List<Dictionary<string, double>> whole, CausalLm expected)
    {
        Assert.Equal(directory.File("checkpoint-00000002"), Checkpoint.Latest(directory.Path));
        manual_seed(777);
        using var resumed = Create(started: true);
        Assert.Equal(whole[2..], await TrainedRuns.Run(trainer, resumed, directory.Path, resume: Checkpoint.Latest(directory.Path)));
        Assert.Equal(Toy.Bytes(expected), Toy.Bytes(resumed));
    }

    // A model to be overwritten starts from other weights.
    private static CausalLm Create(string architecture = "dropout", bool started = false) =>
        architecture == "dropout"
            ? new DropoutLm(Toy.Tokenizer.VocabularySize, started ? 0.3 : 0.5)
            : Toy.Model(seed: started ? 9UL : 1, ScalarType.BFloat16);
}
