using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Rows without their padding give what the padded rows give.</summary>
public sealed class PaddingFreeTests
{
    public static TheoryData<string> Families => TinyModels.Names;

    public static TheoryData<string> Trainers => ["sft", "dpo", "reward", "grpo", "ppo", "prompt"];

    // Rows of 2, 5, 0, 3 and 1 tokens; best-fit decreasing fills 8 places with 5 and 3, then 2 and 1. The row without a token is left out.
    [Fact]
    public void Layout_ByHand()
    {
        using var scope = NewDisposeScope();
        var mask = tensor(
            new long[,]
            {
                { 1, 1, 0, 0, 0, 0, 0, 0 },
                { 0, 0, 0, 1, 1, 1, 1, 1 },
                { 0, 0, 0, 0, 0, 0, 0, 0 },
                { 1, 2, 2, 0, 0, 0, 0, 0 },
                { 0, 1, 0, 0, 0, 0, 0, 0 },
            }
        );
        var layout = PackedLayout.Of(mask)!;
        Assert.Equal([1, 1, 1, 1, 1, 2, 3, 3, 1, 1, 2, 0, 0, 0, 0, 0], layout.Segments.data<long>().ToArray());
        var values = arange(1, 41, dtype: ScalarType.Float64).reshape(5, 8, 1);
        TensorAssert.Close([12, 13, 14, 15, 16, 25, 26, 27, 1, 2, 34, 0, 0, 0, 0, 0], layout.Pack(values), 0);
        TensorAssert.Same((values * mask.ne(0).unsqueeze(-1)), layout.Unpack(layout.Pack(values)) * mask.ne(0).unsqueeze(-1));
    }

    [Fact]
    public void Layout_ThatSparesNoRow_IsNone()
    {
        using var scope = NewDisposeScope();
        Assert.Null(
            PackedLayout.Of(
                tensor(
                    new long[,]
                    {
                        { 1, 1, 1 },
                        { 0, 1, 1 },
                    }
                )
            )
        );
        Assert.Null(
            PackedLayout.Of(
                tensor(
                    new long[,]
                    {
                        { 0, 0 },
                        { 0, 0 },
                    }
                )
            )
        );
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void HiddenStatesAndGradients_AreThoseOfPaddedRows(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float64);
        var mask = tensor(
            new long[,]
            {
                { 0, 0, 0, 1, 1, 1, 1, 1 },
                { 1, 1, 0, 0, 0, 0, 0, 0 },
                { 1, 1, 1, 2, 2, 0, 0, 0 },
                { 1, 1, 1, 1, 1, 1, 1, 1 },
                { 0, 0, 0, 0, 0, 0, 0, 1 },
            }
        );
        var ids = Numbers.Ids(1, 23, 5, 8);
        var weights = Numbers.Uniform(2, 1, 5, 8, 16) * mask.ne(0).unsqueeze(-1);
        (Tensor Hidden, Tensor[] Gradients) Run(bool paddingFree)
        {
            model.PaddingFree = paddingFree;
            model.zero_grad();
            var hidden = model.Hidden(ids, mask);
            Assert.Equal([5, 8, 16], hidden.shape);
            TensorAssert.Finite(hidden);
            (hidden * weights).sum().backward();
            return (
                hidden * mask.ne(0).unsqueeze(-1),
                [.. model.parameters().Select(parameter => parameter.grad is { } gradient ? gradient.clone() : parameter.zeros_like())]
            );
        }

        var (padded, packed) = (Run(false), Run(true));
        TensorAssert.Close(padded.Hidden, packed.Hidden, 1e-12);
        foreach (var (a, b) in padded.Gradients.Zip(packed.Gradients))
            TensorAssert.Close(a, b, 1e-11);
    }

    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task Trainers_FollowThePaddedRun(string trainer)
    {
        var (padded, packed) = (await Run(trainer, false), await Run(trainer, true));
        Assert.Equal(4, padded.Count);
        for (int step = 0; step < padded.Count; step++)
        {
            Assert.Equal(padded[step].Keys, packed[step].Keys);
            foreach (var (metric, value) in padded[step])
                Assert.True(
                    Math.Abs(value - packed[step][metric]) <= 1e-9 * Math.Max(1, Math.Abs(value)),
                    $"step {step}: {metric} is {packed[step][metric]}, expected {value}"
                );
        }
    }

    [Fact]
    public void Cache_IsLeftAlone()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float64);
        var mask = tensor(
            new long[,]
            {
                { 0, 0, 0, 1 },
                { 0, 0, 1, 1 },
                { 1, 1, 1, 1 },
            }
        );
        var ids = Numbers.Ids(1, 23, 3, 4);
        using var cache = model.NewCache(3, 8);
        var expected = model.Hidden(ids, mask, cache);
        model.PaddingFree = true;
        using var other = model.NewCache(3, 8);
        TensorAssert.Same(expected, model.Hidden(ids, mask, other));
    }

    private static async Task<List<Dictionary<string, double>>> Run(string name, bool paddingFree)
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var reference = Toy.Model(type: ScalarType.Float64);
        (model.PaddingFree, reference.PaddingFree) = (paddingFree, paddingFree);
        Demonstration[] shown = [new("0=", "abcabcab"), new("1+1=", "b"), new("2=", "a"), new("7=", "ba")];
        PreferencePair[] pairs = [new("0=", "abcdef", "b"), new("1+1=", "a", "bc"), new("2=", "a", "ba"), new("7=", "a", "cabcabca")];
        var manyAs = Reward.Of("many_as", completion => completion.Text.Count(letter => letter == 'a'));
        Problem[] problems = [new("0="), new("12345=")];
        var sampling = new SamplingOptions { MaxNewTokens = 6 };
        var reports = new List<Dictionary<string, double>>();
        switch (name)
        {
            case "sft":
                Keep(
                    new SftTrainer(
                        model,
                        Toy.Tokenizer,
                        new SftOptions
                        {
                            Steps = 4,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                        }
                    ),
                    shown
                );
                break;
            case "prompt":
                using (var prompted = new SoftPromptLm(model, PromptTable.Random(3, model.HiddenSize, seed: 7, type: ScalarType.Float64)))
                    Keep(
                        new SftTrainer(
                            prompted,
                            Toy.Tokenizer,
                            new SftOptions
                            {
                                Steps = 4,
                                BatchSize = 4,
                                LearningRate = 1e-2,
                            }
                        ),
                        shown
                    );
                break;
            case "dpo":
                Keep(
                    new DpoTrainer(
                        model,
                        Toy.Tokenizer,
                        reference,
                        new DpoOptions
                        {
                            Steps = 4,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                        }
                    ),
                    pairs
                );
                break;
            case "reward":
                using (var classifier = SequenceClassifier.For(model))
                    Keep(
                        new RewardTrainer(
                            classifier,
                            Toy.Tokenizer,
                            new RewardOptions
                            {
                                Steps = 4,
                                BatchSize = 4,
                                LearningRate = 1e-2,
                            }
                        ),
                        pairs
                    );
                break;
            case "ppo":
                using (var critic = ValueHead.WithOwnBody(reference))
                    await KeepAll(
                        new PpoTrainer(
                            model,
                            Toy.Tokenizer,
                            manyAs,
                            new PpoOptions
                            {
                                Steps = 4,
                                BatchSize = 4,
                                LearningRate = 1e-2,
                                Sampling = sampling,
                                Kl = KlControl.Fixed(0),
                                Critic = critic,
                            }
                        )
                    );
                break;
            default:
                await KeepAll(
                    new GrpoTrainer(
                        model,
                        Toy.Tokenizer,
                        manyAs,
                        new GrpoOptions
                        {
                            Steps = 4,
                            BatchSize = 2,
                            GroupSize = 4,
                            LearningRate = 1e-2,
                            Sampling = sampling,
                        }
                    )
                );
                break;
        }
        return reports;

        void Keep<T>(DatasetTrainer<T> trainer, T[] data)
        {
            using (trainer)
                reports.AddRange(trainer.Run(data).Select(Toy.Numbers));
        }

        async Task KeepAll(RolloutTrainer trainer)
        {
            using (trainer)
                await foreach (var report in trainer.RunAsync(problems))
                    reports.Add(Toy.Numbers(report));
        }
    }
}
