using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Which of two completions of each prompt is the chosen one.</summary>
/// <param name="Chosen">Row numbers, [B], int64.</param>
/// <param name="Rejected">Row numbers, [B], int64.</param>
public sealed record PairSelection(Tensor Chosen, Tensor Rejected)
{
    /// <summary>The completion with the larger reward is chosen; of equal rewards, the first.</summary>
    /// <param name="rewards">[2B]: the first completions of all prompts, then the second ones.</param>
    /// <exception cref="ArgumentException">An odd number of rewards.</exception>
    public static PairSelection ByReward(Tensor rewards)
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[2B]");
        long rows = rewards.shape[0];
        if (rows % 2 != 0)
            throw new ArgumentException($"rewards holds {rows} values, expected an even number: two of each prompt", nameof(rewards));
        using var scope = NewDisposeScope();
        var first = arange(rows / 2, device: rewards.device);
        var second = first + rows / 2;
        var firstWins = rewards.narrow(0, 0, rows / 2) >= rewards.narrow(0, rows / 2, rows / 2);
        return new PairSelection(
            where(firstWins, first, second).MoveToOuterDisposeScope(),
            where(firstWins, second, first).MoveToOuterDisposeScope()
        );
    }
}
