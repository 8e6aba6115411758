namespace PostTrain.Policy.Losses;

/// <summary>Of what the probability ratio ρ = π/π_old is taken; d_t = log π − log π_old of token t.</summary>
public enum RatioLevel
{
    /// <summary>Each token's own: log ρ_t = d_t (PPO, GRPO).</summary>
    Token,

    /// <summary>One ratio a sequence, normalised by its length: log ρ = mean_t d_t (GSPO, arXiv:2507.18071, eq. 7).</summary>
    Sequence,

    /// <summary>The sequence's value with the token's gradient: log ρ_t = sg[mean d] + log π_t − sg[log π_t] (GSPO-token, eq. 14). With one
    /// advantage a sequence its gradient is GSPO's.</summary>
    SequenceToken,

    /// <summary>The ratio of whole sequences: log ρ = Σ_t d_t (RLOO, arXiv:2402.14740).</summary>
    SequenceSum,
}
