using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Inputs of a <see cref="DpoLoss"/>, each [B].</summary>
/// <param name="Policy">Log-probabilities and lengths under the policy.</param>
/// <param name="Reference">Under the reference, without a gradient; null where none takes part in the loss.</param>
/// <param name="ChosenRatios">D_w = log π(y_w) − log π_ref(y_w).</param>
/// <param name="RejectedRatios">D_l.</param>
/// <param name="Chosen">Score of the chosen completion: the divergence's link of D_w, less the penalty of DPO-Positive.</param>
/// <param name="Rejected">Score of the rejected completion.</param>
public sealed record DpoScores(
    PairLogProbs Policy,
    PairLogProbs? Reference,
    Tensor ChosenRatios,
    Tensor RejectedRatios,
    Tensor Chosen,
    Tensor Rejected
)
{
    /// <summary>Mean tokens of the whole batch's chosen completions; null where these are the whole batch.</summary>
    public double? MeanChosenLength { get; init; }

    /// <summary>Δ = s_w − s_l.</summary>
    public Tensor Difference() => Chosen - Rejected;

    /// <summary>s_w/|y_w| − s_l/|y_l|.</summary>
    /// <param name="loss">Name of the loss, for the message where lengths are missing.</param>
    /// <exception cref="ArgumentException">The policy's log-probabilities have no lengths.</exception>
    public Tensor NormalizedDifference(string loss)
    {
        var (chosen, rejected) = Policy.Divisors(loss);
        return Chosen / chosen - Rejected / rejected;
    }
}
