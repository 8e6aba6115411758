using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>The thread count belongs to the process.</summary>
[Collection("Sequential")]
public sealed class ThreadCountTests
{
    [Fact]
    public void Losses_DoNotDependOnTheThreadCount()
    {
        using var scope = NewDisposeScope();
        int before = get_num_threads();
        var mask = Numbers.Mask(64, [.. Enumerable.Range(1, 64)]);
        LossTensor Wide(int seed) => new(Numbers.Uniform(seed, 0.3, 64, 64), LossAxes.Token, true);
        var likelihood = new LossSubject(
            batch => SupervisedLosses.NegativeLogLikelihood(batch["logits"], batch["targets"], batch.Mask).Loss,
            new LossBatch(
                new Dictionary<string, LossTensor>
                {
                    ["logits"] = new(Numbers.Uniform(1, 2, 64, 64, 50), LossAxes.Token, true),
                    ["targets"] = new(Numbers.Ids(2, 50, 64, 64)),
                },
                mask
            )
        );
        LossLaws.ThreadCount(likelihood).Demand();
        var surrogate = new LossSubject(
            batch => PolicyLosses.ClippedSurrogate(batch["logProbs"], batch["oldLogProbs"], batch["advantages"], batch.Mask, 0.2).Loss,
            new LossBatch(
                new Dictionary<string, LossTensor>
                {
                    ["logProbs"] = Wide(3),
                    ["oldLogProbs"] = Wide(4) with { Differentiable = false },
                    ["advantages"] = new(Numbers.Uniform(5, 1, 64), LossAxes.Row),
                },
                mask
            )
        );
        LossLaws.ThreadCount(surrogate).Demand();
        Assert.Equal(before, get_num_threads());
        // A loss that looks at the thread count breaks the law, and the count comes back all the same.
        Assert.False(
            LossLaws.ThreadCount(surrogate with { Loss = batch => Masked.Sum(batch["logProbs"], batch.Mask) * get_num_threads() }).Holds
        );
        Assert.Throws<InvalidOperationException>(() =>
            LossLaws.ThreadCount(surrogate with { Loss = _ => throw new InvalidOperationException("no loss") })
        );
        Assert.Equal(before, get_num_threads());
    }
}
