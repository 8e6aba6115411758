using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Combines several reward models by mean, minimum, or mean − λ·variance, so that a policy gains less from the faults of a
    /// single one.</summary>
    /// <remarks>Coste et al. 2023, arXiv:2310.02743. The members must have the same scale. A completion is not applicable if any member is,
    /// because the minimum over fewer members is not comparable. Components: each member.</remarks>
    /// <param name="name">The name in the log.</param>
    /// <param name="form">The combination.</param>
    /// <param name="members">At least one reward; names must differ.</param>
    /// <param name="coefficient">λ of <see cref="EnsembleForm.MeanMinusVariance"/>, at least 0. Default 0.1.</param>
    public static IReward Ensemble(string name, EnsembleForm form, IReadOnlyList<IReward> members, double coefficient = 0.1)
    {
        ArgumentNullException.ThrowIfNull(members);
        Guard.NotNegative(coefficient, nameof(coefficient));
        if (!Enum.IsDefined(form))
            throw new ArgumentOutOfRangeException(nameof(form), form, "expected Mean, Minimum or MeanMinusVariance");
        var sum = new WeightedReward(name, [.. members.Select(member => (1.0, member))], isMean: false);
        return new RewardDecorator(
            sum,
            async (completions, context, cancellation) =>
            {
                var scores = await sum.ScoreAsync(completions, context, cancellation).ConfigureAwait(false);
                var values = new double[completions.Count];
                for (var i = 0; i < values.Length; i++)
                    values[i] = Combine([.. members.Select(member => scores.Components[member.Name][i])], form, coefficient);
                return scores with { Values = values };
            }
        );
    }

    private static double Combine(double[] scores, EnsembleForm form, double coefficient)
    {
        if (Array.Exists(scores, double.IsNaN))
            return double.NaN;
        using var scope = NewDisposeScope();
        var column = tensor(scores).unsqueeze(1);
        return (
            form switch
            {
                EnsembleForm.Mean => RewardEnsembles.Mean(column),
                EnsembleForm.Minimum => RewardEnsembles.WorstCase(column),
                _ => RewardEnsembles.UncertaintyWeighted(column, coefficient),
            }
        ).ToDouble();
    }
}
