namespace PostTrain.Rollouts;

/// <summary>Rule applied to each drawn token: it keeps the token or replaces it by a sequence.</summary>
/// <remarks>It acts after all processors and truncations, so it composes with every one of them. The tokens of a sequence come in the
/// following steps whatever the model draws; the rule is not asked about them. Each counts as a token of the completion, and its recorded
/// log-prob is the model's.</remarks>
/// <param name="completion">The tokens of the row's completion so far.</param>
/// <param name="drawn">The token that was drawn.</param>
/// <returns>Null to keep the token; otherwise at least one token in its place.</returns>
public delegate IReadOnlyList<int>? DecodingRule(ReadOnlySpan<int> completion, int drawn);
