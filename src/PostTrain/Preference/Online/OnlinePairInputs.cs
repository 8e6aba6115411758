using PostTrain.Preference.Losses;
using static TorchSharp.torch;

namespace PostTrain.Preference.Online;

/// <summary>Inputs of an <see cref="OnlineMethod"/> of your own: B pairs of judged completions.</summary>
/// <param name="Scores">Log-probabilities, lengths and scores of the pairs, as in <see cref="DpoLoss"/>.</param>
/// <param name="Beta">β.</param>
/// <param name="ChosenRewards">Rewards of the better completions, [B].</param>
/// <param name="RejectedRewards">Rewards of the worse completions, [B].</param>
/// <param name="ChosenIsPolicys">True where the better completion is the policy's, [B] bool.</param>
public sealed record OnlinePairInputs(DpoScores Scores, double Beta, Tensor ChosenRewards, Tensor RejectedRewards, Tensor ChosenIsPolicys);
