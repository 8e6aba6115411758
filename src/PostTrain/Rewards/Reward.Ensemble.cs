using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>One reward from several models, so that a policy gains less by what only one of them likes: mean, min, or mean −
    /// λ·variance.</summary>
    /// <remarks>Coste et al. 2023, arXiv:2310.02743. The members must have one scale. A completion to which a member is not applicable is
    /// not applicable: the minimum of fewer is not comparable. Components: each member.</remarks>
    /// <param name="name">The name in the log.</param>
    /// <param name="form">How.</param>
    /// <param name="members">Different names, at least one.</param>
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
