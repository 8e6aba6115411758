using PostTrain.Data;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>Epochs instead of steps: the number of steps follows from the data, and nothing else changes.</summary>
public sealed class EpochTests : IDisposable
{
    private static readonly Demonstration[] Data = [.. Enumerable.Range(0, 7).Select(i => new Demonstration($"{i}=", $"{7 - i}"))];
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(1.0, 3, 3)]
    [InlineData(2.0, 3, 5)]
    [InlineData(0.5, 2, 2)]
    [InlineData(0.01, 4, 1)]
    [InlineData(3.0, 7, 3)]
    public void Steps_FollowFromTheData(double epochs, int batch, int steps)
    {
        using var model = Toy.Model();
        using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Epochs = epochs, BatchSize = batch });
        Assert.Equal(steps, trainer.Run(Data).Count());
    }

    [Fact]
    public void Epochs_AreTheSameRunAsTheirSteps_WithScheduleAndEvaluation()
    {
        var options = new SftOptions
        {
            BatchSize = 3,
            LearningRate = 1e-2,
            WarmupSteps = 1,
            Schedule = LearningRateSchedule.Cosine,
            Evaluation = new EvaluationOptions { Every = 100 },
        };
        using var one = Toy.Model();
        using var two = Toy.Model();
        using var byEpochs = new SftTrainer(one, Toy.Tokenizer, options with { Epochs = 2 });
        using var bySteps = new SftTrainer(two, Toy.Tokenizer, options with { Steps = 5 });
        var reports = byEpochs.Run(Data, Data).Select(Toy.Numbers).ToArray();
        Assert.Equal(bySteps.Run(Data, Data).Select(Toy.Numbers), reports);
        Assert.True(reports[^1].ContainsKey("eval/loss"));
        Assert.Equal(Toy.Bytes(two), Toy.Bytes(one));
    }

    [Fact]
    public void ResumedRuns_GiveTheSameBytes()
    {
        var options = new SftOptions
        {
            Epochs = 2,
            BatchSize = 3,
            LearningRate = 1e-2,
            Schedule = LearningRateSchedule.Linear,
        };
        using var whole = Toy.Model();
        using var model = Toy.Model();
        using var uninterrupted = new SftTrainer(whole, Toy.Tokenizer, options);
        _ = uninterrupted.Run(Data).ToArray();
        using var first = new SftTrainer(model, Toy.Tokenizer, options);
        _ = first.Run(Data).Take(2).ToArray();
        string checkpoint = first.SaveCheckpoint(directory.Path);
        using var rest = Toy.Model(seed: 5);
        using var second = new SftTrainer(rest, Toy.Tokenizer, options);
        second.Resume(checkpoint);
        Assert.Equal(3, second.Run(Data).Count());
        Assert.Equal(Toy.Bytes(whole), Toy.Bytes(rest));
    }

    [Fact]
    public void EpochsAndSteps_TogetherAreRefused_AndEpochsInALoopOfOnesOwn()
    {
        using var model = Toy.Model();
        var both = Assert.Throws<ArgumentOutOfRangeException>(() =>
            new SftTrainer(model, Toy.Tokenizer, new SftOptions { Epochs = 1, Steps = 10 })
        );
        Assert.Contains("expected one of the two", both.Message, StringComparison.Ordinal);
        foreach (double wrong in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>(() => new SftTrainer(model, Toy.Tokenizer, new SftOptions { Epochs = wrong }));
        using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Epochs = 1 });
        Assert.Contains("Steps", Assert.Throws<InvalidOperationException>(() => trainer.Step(Data)).Message, StringComparison.Ordinal);
    }
}
