namespace PostTrain.Rewards;

/// <summary>The formula of the self-consistency reward for G completions with answers a_i. A completion without an answer agrees with
/// none.</summary>
public enum SelfConsistencyForm
{
    /// <summary>r_i = Σ_{j≠i} w_j 1[a_j = a_i] / Σ_{j≠i} w_j: leave-one-out agreement, an unbiased estimate of p(a_i). 0 to 1; not
    /// applicable in a group of one.</summary>
    LeaveOneOut,

    /// <summary>r_i = 1[a_i = mode], shared equally if several answers tie for the mode (TTRL, Zuo et al. 2025, arXiv:2504.16084). 0 to
    /// 1.</summary>
    Majority,

    /// <summary>r = −H(p̂) = Σ_a p̂(a) ln p̂(a) for every completion of the group; each missing answer is its own class. −ln G to 0. Equal
    /// within a group, so it needs a baseline over the batch.</summary>
    Entropy,
}
