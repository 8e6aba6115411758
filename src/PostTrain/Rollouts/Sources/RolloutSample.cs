namespace PostTrain.Rollouts;

/// <summary>A finished completion of a <see cref="IRolloutSource"/>.</summary>
/// <param name="Row">Index of its prompt in the request.</param>
/// <param name="Tokens">Token ids, the stop token included; at least one.</param>
/// <param name="LogProbs">Log-prob of each token under the policy that drew it, nats. Of sources that know the distribution before
/// truncation, that one, as in <see cref="Sampler"/>.</param>
/// <param name="Finish">Why it ended.</param>
public sealed record RolloutSample(int Row, int[] Tokens, double[] LogProbs, RolloutFinish Finish)
{
    /// <summary>Probability that top-k, top-p and the other truncations kept at each token, in (0, 1]: the token was drawn with
    /// probability exp(<see cref="LogProbs"/>) / this. Null where nothing was cut off or the source does not know it.</summary>
    public double[]? KeptMass { get; init; }

    /// <summary>False at the tokens that an environment gave, which count neither in losses nor in advantages; their log-probs are 0. Null
    /// where the policy drew every token.</summary>
    public bool[]? Drawn { get; init; }

    /// <summary>Number of the weights that drew it, as in <see cref="IRolloutSource.UpdateAsync"/>; null where the source does not
    /// know it.</summary>
    public long? Version { get; init; }
}
