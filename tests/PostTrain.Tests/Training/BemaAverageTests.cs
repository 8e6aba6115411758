using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>The average of weights beside a run; its values are held against golden ones in trlmore.json.</summary>
public sealed class BemaAverageTests : IDisposable
{
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab")];
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Average_IsPartOfCheckpoints_BitForBit()
    {
        using var model = Toy.Model();
        var whole = Train(model, "whole", null);
        using var other = Toy.Model();
        var rest = Train(other, "rest", directory.File("whole/checkpoint-00000003"));
        Assert.Equal(whole, rest);
        Assert.NotEqual(Toy.Bytes(model), whole);
    }

    // Training is unchanged, and so is the model after a look at the average.
    [Fact]
    public void Average_ChangesNothing()
    {
        using var model = Toy.Model();
        Train(model, "with", null);
        using var other = Toy.Model();
        using (var trainer = new SftTrainer(other, Toy.Tokenizer, Options()))
            _ = trainer.Run(Shown).Last();
        Assert.Equal(Toy.Bytes(other), Toy.Bytes(model));
    }

    [Fact]
    public void Checkpoint_OfARunWithoutAverage_IsRefused()
    {
        using var model = Toy.Model();
        using (var trainer = new SftTrainer(model, Toy.Tokenizer, Options() with { CheckpointDirectory = directory.File("plain") }))
            _ = trainer.Run(Shown).Last();
        using var other = Toy.Model();
        using var average = new BemaAverage(other, Fast);
        using var resumed = new SftTrainer(other, Toy.Tokenizer, Options() with { Terms = [average] });
        var error = Assert.Throws<InvalidDataException>(() => resumed.Resume(directory.File("plain/checkpoint-00000003")));
        Assert.Contains("term.0.bema.start", error.Message, StringComparison.Ordinal);
    }

    private static BemaOptions Fast => new() { Every = 2, After = 1 };

    private static SftOptions Options() =>
        new()
        {
            Steps = 6,
            BatchSize = 2,
            LearningRate = 1e-2,
            CheckpointEvery = 3,
        };

    private byte[] Train(Decoder model, string name, string? resume)
    {
        using var average = new BemaAverage(model, Fast);
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            Options() with
            {
                Terms = [average],
                CheckpointDirectory = directory.File(name),
            }
        );
        if (resume is not null)
            trainer.Resume(resume);
        _ = trainer.Run(Shown).Last();
        using (average.Applied())
            return Toy.Bytes(model);
    }
}
