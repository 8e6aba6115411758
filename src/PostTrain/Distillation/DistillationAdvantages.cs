using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Advantages and weights of distillation as a policy gradient on sampled tokens. None carries a gradient.</summary>
public static class DistillationAdvantages
{
    /// <summary>On-policy distillation: A_t = −(log q − log p), each token by itself (discount 0).</summary>
    /// <remarks>Lu et al. 2025, "On-Policy Distillation" (Thinking Machines). For any policy loss, in the place of a group's advantages or
    /// added to them.</remarks>
    /// <param name="logProbs">log q of the sampled tokens, [B,T].</param>
    /// <param name="teacherLogProbs">log p of the same tokens, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <returns>[B,T], 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static Tensor PerToken(Tensor logProbs, Tensor teacherLogProbs, Tensor mask)
    {
        Check(logProbs, teacherLogProbs);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Masked.Counted(teacherLogProbs.detach().to_type(logProbs.dtype) - logProbs.detach(), mask).MoveToOuterDisposeScope();
    }

    /// <summary>MiniLLM: A_t = Σ_{i&gt;t} γ^{i−t−1} m_i r_i, r = log p − log q, over Σ_{i&gt;t} γ^{i−t−1} m_i when
    /// length-normalised.</summary>
    /// <remarks>
    /// Gu et al. 2023, arXiv:2306.08543, section 2.2. The answer's last token has no later reward: 0. Padding on either side changes
    /// nothing. Deviations of TRL's trainer are options: see <see cref="MiniLlmObjective"/>.
    /// </remarks>
    /// <param name="logProbs">log q of the sampled tokens, [B,T].</param>
    /// <param name="teacherLogProbs">log p of the same tokens, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="options">The paper's, length-normalised, when null.</param>
    /// <returns>[B,T], 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static Tensor MiniLlm(Tensor logProbs, Tensor teacherLogProbs, Tensor mask, MiniLlmObjective? options = null)
    {
        options ??= new MiniLlmObjective();
        options.Check();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var sums = DiscountedSums(PerToken(logProbs, teacherLogProbs, mask), options.Gamma);
        if (!options.OwnReward)
            sums = Later(sums, 1);
        if (options.LengthNormalization)
        {
            var counts = (mask != 0).to_type(sums.dtype);
            var lengths = DiscountedSums(counts + (1 - counts) * options.UncountedWeight, options.Gamma);
            if (!options.OwnReward)
                lengths = Later(lengths, 1);
            sums = sums / lengths.masked_fill(lengths == 0, 1);
        }
        else if (options.DiscountFromStart && options.Gamma > 0)
        {
            sums = sums * arange(sums.shape[1], dtype: sums.dtype, device: sums.device).mul(Math.Log(options.Gamma)).exp();
        }
        return Masked.Counted(sums, mask).MoveToOuterDisposeScope();
    }

    /// <summary>w_t = q/(α·p + (1−α)·q): weights for tokens sampled from the mixture of teacher and student.</summary>
    /// <remarks>MiniLLM, arXiv:2306.08543, section 2.2, with its approximation of the product over the prefix by the token's own ratio.
    /// Between 0 and 1/(1−α).</remarks>
    /// <param name="logProbs">log q of the sampled tokens, [B,T].</param>
    /// <param name="teacherLogProbs">log p of the same tokens, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="teacherShare">α, at least 0 and below 1; 0.2 by default, as in the paper.</param>
    /// <returns>[B,T], 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static Tensor MixedSamplingWeights(Tensor logProbs, Tensor teacherLogProbs, Tensor mask, double teacherShare = 0.2)
    {
        if (!(teacherShare is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(teacherShare), teacherShare, "teacherShare must be at least 0 and below 1");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // 1/(α·e^{log p − log q} + 1 − α), as a logistic function: no exponential that overflows.
        var logRatio = PerToken(logProbs, teacherLogProbs, mask);
        var weights = (logRatio + Math.Log(teacherShare / (1 - teacherShare))).neg().sigmoid() / (1 - teacherShare);
        return Masked.Counted(weights, mask).MoveToOuterDisposeScope();
    }

    /// <summary>w_t = 1 + γ·(1 − Σ_{i&lt;t} |A_i| / Σ_i |A_i|): weights of an answer's tokens that fall as its disagreement with the
    /// teacher is used up.</summary>
    /// <remarks>Importance-weighted on-policy distillation, as in TRL's IWOPDTrainer: between 1 and 1 + γ, 1 + γ at the first counted
    /// token.
    /// Early disagreements decide what the later tokens are. Multiply them with the advantages of <see cref="PerToken"/>.</remarks>
    /// <param name="advantages">A, [B,T], of any sign.</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="gamma">γ, at least 0; 1 by default.</param>
    /// <returns>[B,T], without a gradient; 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor PrefixWeights(Tensor advantages, Tensor mask, double gamma = 1)
    {
        Guard.Rank(advantages, nameof(advantages), 2, "[B,T]");
        Guard.Floating(advantages, nameof(advantages));
        Guard.NotNegative(gamma, nameof(gamma));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var sizes = Masked.Counted(advantages.detach(), mask).abs();
        var before = sizes.cumsum(1) - sizes;
        // Rounding in the sum must not give a weight below 1.
        var share = (before / sizes.sum(1L, keepdim: true).clamp_min(1e-8)).clamp(0, 1);
        return Masked.Counted(1 + gamma * (1 - share), mask).MoveToOuterDisposeScope();
    }

    // Σ_{i≥t} γ^{i−t} x_i in log₂ T steps: after each, values[t] holds the first 2·reach terms. A division of a cumulative sum by γ^t would
    // underflow.
    private static Tensor DiscountedSums(Tensor values, double gamma)
    {
        long length = values.shape[1];
        double factor = gamma;
        for (long reach = 1; reach < length && factor > 0; reach *= 2, factor *= factor)
            values = values + Later(values, reach) * factor;
        return values;
    }

    // values[t + distance], 0 beyond the end.
    private static Tensor Later(Tensor values, long distance)
    {
        long length = values.shape[1];
        if (distance >= length)
            return zeros_like(values);
        return cat([values.narrow(1, distance, length - distance), values.new_zeros(values.shape[0], distance)], 1);
    }

    private static void Check(Tensor logProbs, Tensor teacherLogProbs)
    {
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.Floating(teacherLogProbs, nameof(teacherLogProbs));
        Guard.SameShape(teacherLogProbs, nameof(teacherLogProbs), logProbs, nameof(logProbs));
    }
}
