using PostTrain.Kernels;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>GRPO's tokens with a KL term of 0.04, BxT; one advantage a row. The aggregation is GRPO's, or the sum over a given token
/// count.</summary>
internal sealed class Grpo(string id, bool givenTokenCount) : IWorkload
{
    private readonly PolicyObjective objective = (givenTokenCount ? PolicyObjectives.Bnpo(0.2) : PolicyObjectives.Grpo(0.2)) with
    {
        Beta = 0.04,
    };

    public string Id => id;

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8x64", "16x256", "64x1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (logProbs, mask) = (inputs.Leaf(shape, 0.1, -2), Inputs.Mask(shape[0], shape[1]));
        var batch = new PolicyBatch(logProbs, inputs.Near(logProbs, 0.05), inputs.Normal([shape[0]]), mask)
        {
            ReferenceLogProbs = inputs.Near(logProbs, 0.05),
        };
        double? tokens = givenTokenCount ? LossAggregation.TokenMean.Denominator(mask) : null;
        return new(
            isReference
                ? Gradients.Of(() => objective.Loss(batch, tokens).Loss, logProbs)
                : ReferenceSizes.Scoped(() => PolicyKernels.Objective(objective, batch, tokens)),
            TrafficBytes: 20.0 * shape[0] * shape[1]
        );
    }
}

/// <summary>PPO's policy and value loss, BxT.</summary>
internal sealed class Ppo : IWorkload
{
    public string Id => "K.ppo";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8x64", "16x256", "64x1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (logProbs, values, mask) = (inputs.Leaf(shape, 0.1, -2), inputs.Leaf(shape), Inputs.Mask(shape[0], shape[1]));
        var (oldLogProbs, oldValues) = (inputs.Near(logProbs, 0.05), inputs.Near(values, 0.05));
        var (advantages, returns) = (inputs.Normal(shape), inputs.Normal(shape));
        // A tenth of the value loss: ten times the denominator.
        double tokens = LossAggregation.TokenMean.Denominator(mask);
        return new(
            isReference
                ? Gradients.Of(
                    () =>
                        PolicyLosses.ClippedSurrogate(logProbs, oldLogProbs, advantages, mask, 0.2).Loss
                        + PolicyLosses.Value(values, oldValues, returns, mask, 0.2).Loss * 0.1,
                    logProbs,
                    values
                )
                : ReferenceSizes.Scoped(() =>
                {
                    PolicyKernels.ClippedSurrogate(logProbs, oldLogProbs, advantages, mask, 0.2);
                    PolicyKernels.Value(values, oldValues, returns, mask, 0.2, denominator: tokens * 10);
                }),
            TrafficBytes: 36.0 * shape[0] * shape[1]
        );
    }
}

/// <summary>GAE, gamma 1 and lambda 0.95, BxT; advantages and returns.</summary>
internal sealed class Gae : IWorkload
{
    public string Id => "K.gae";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8x64", "16x256", "64x1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (rewards, values, mask) = (inputs.Normal(shape), inputs.Normal(shape), Inputs.Mask(shape[0], shape[1]));
        return new(
            ReferenceSizes.Scoped(() =>
            {
                if (isReference)
                    Advantages.Gae(rewards, values, mask, 1, 0.95);
                else
                    AdvantageKernels.Gae(rewards, values, mask, 1, 0.95);
            }),
            TrafficBytes: 20.0 * shape[0] * shape[1]
        );
    }
}

/// <summary>Advantages of P groups of G rewards, PxG.</summary>
internal sealed class GroupAdvantages : IWorkload
{
    public string Id => "K.group_advantages";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("64x16");

    public Call Setup(string size, Inputs inputs)
    {
        var (d, isReference) = ReferenceSizes.Parse(size);
        var rewards = inputs.Normal([d[0] * d[1]]);
        return new(
            ReferenceSizes.Scoped(() =>
            {
                if (isReference)
                    Advantages.GroupRelative(rewards, (int)d[1]);
                else
                    AdvantageKernels.GroupRelative(rewards, (int)d[1]);
            }),
            TrafficBytes: 8.0 * d[0] * d[1]
        );
    }
}
