using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>Functions that reshape next-token scores, [B,V] to [B,V]: what a token may not be becomes −∞. Fresh tensors; the caller owns
/// them.</summary>
/// <remarks>
/// They compute what transformers' logits processors compute. Two things are different. Padding is not context: a prompt padded on the left
/// is penalised and banned for its own tokens only. And the sums behind the truncations are float64 whatever the scores are.
/// </remarks>
public static partial class LogitProcessors
{
    // Outside of 1/Mild to Mild a quotient may leave the range of float32.
    private const double Mild = 1e6;

    /// <summary>scores / T.</summary>
    /// <remarks>Where quotients could leave the type's range (T below 1e-6 or above 1e6; below 1 in float16), the row's highest score is
    /// taken off first, which leaves the distribution as it is: the highest become 0, and the others at least the type's lowest finite
    /// number. A score of −∞ stays.</remarks>
    /// <param name="scores">[..., V].</param>
    /// <param name="temperature">T, positive and finite, down to the smallest double.</param>
    /// <exception cref="ArgumentOutOfRangeException">The temperature is not positive and finite.</exception>
    public static Tensor Temperature(Tensor scores, double temperature)
    {
        Guard.Floating(scores, nameof(scores));
        if (!(temperature > 0) || !double.IsFinite(temperature))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "temperature must be positive and finite.");
        if (temperature >= (scores.dtype == ScalarType.Float16 ? 1 : 1 / Mild) && temperature <= Mild)
            return scores / temperature;
        using var scope = NewDisposeScope();
        var lowest = scores.dtype switch
        {
            ScalarType.Float16 => -6e4,
            ScalarType.Float64 => -1e308,
            _ => -3e38,
        };
        var wide = scores.to_type(ScalarType.Float64);
        var tempered = ((wide - wide.detach().amax([-1L], keepdim: true)) / temperature).clamp_min(lowest);
        return tempered.masked_fill(scores.isneginf(), double.NegativeInfinity).to_type(scores.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the k highest scores and all that equal the lowest of them.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="k">At least 1; more than V keeps all.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor TopK(Tensor scores, int k, int keep = 1)
    {
        Check(scores, keep);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(k);
        using var scope = NewDisposeScope();
        return Below(scores, scores.lt(KthHighest(scores, Math.Max(k, keep)))).MoveToOuterDisposeScope();
    }

    /// <summary>Nucleus: keeps the smallest set of likeliest tokens whose probability reaches p (Holtzman et al. 2020,
    /// arXiv:1904.09751).</summary>
    /// <remarks>From the unlikeliest on, tokens go while their probabilities sum to at most 1 − p. Sums within 1e-7 p of the border count
    /// as having reached it: seven digits are what float32 scores give. Of tokens that are equally likely the one with the higher id
    /// stays.</remarks>
    /// <param name="scores">[B,V].</param>
    /// <param name="p">In (0, 1]; 1 keeps all.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor TopP(Tensor scores, double p, int keep = 1)
    {
        Check(scores, keep);
        CheckShare(p, nameof(p));
        using var scope = NewDisposeScope();
        if (p == 1)
            return scores.alias().MoveToOuterDisposeScope();
        var (sorted, ids) = scores.to_type(ScalarType.Float64).sort(dim: -1, stable: true);
        var gone = sorted.softmax(-1).cumsum(-1).le(1 - p + 1e-7 * p);
        return Unsorted(scores, gone, ids, keep, fromEnd: true).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the tokens that are at least p times as likely as the likeliest (Nguyen et al. 2024, arXiv:2407.01082).</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="p">In [0, 1]; 0 keeps all.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor MinP(Tensor scores, double p, int keep = 1)
    {
        Check(scores, keep);
        if (!(p >= 0 && p <= 1))
            throw new ArgumentOutOfRangeException(nameof(p), p, "p must be in [0, 1].");
        using var scope = NewDisposeScope();
        var probabilities = scores.to_type(ScalarType.Float64).softmax(-1);
        var gone = probabilities.lt(probabilities.amax([-1L], keepdim: true) * p);
        return Below(scores, Sparing(scores, gone, keep)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Locally typical sampling: keeps the tokens whose surprise −log π is nearest to the entropy, as many as it takes to reach a
    /// probability (Meister et al. 2023, arXiv:2202.00666).
    /// </summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="mass">The probability to reach, in (0, 1]; 1 keeps all that are possible.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor Typical(Tensor scores, double mass, int keep = 1)
    {
        Check(scores, keep);
        CheckShare(mass, nameof(mass));
        using var scope = NewDisposeScope();
        var logProbs = scores.to_type(ScalarType.Float64).log_softmax(-1);
        var distance = (-logProbs - TokenLogProbs.EntropyOf(logProbs).unsqueeze(-1)).abs();
        var (sorted, ids) = distance.sort(dim: -1, stable: true);
        var last = logProbs
            .exp()
            .gather(1, ids)
            .cumsum(-1)
            .lt(mass)
            .to_type(ScalarType.Int64)
            .sum([1L], keepdim: true)
            .clamp_max(scores.size(1) - 1);
        return Unsorted(scores, sorted.gt(sorted.gather(1, last)), ids, keep, fromEnd: false).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the tokens of at least this probability (Hewitt et al. 2022, arXiv:2210.15191).</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="epsilon">In [0, 1); 0 keeps all.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor EpsilonCutoff(Tensor scores, double epsilon, int keep = 1)
    {
        Check(scores, keep);
        CheckCutoff(epsilon);
        using var scope = NewDisposeScope();
        return Below(scores, Sparing(scores, scores.to_type(ScalarType.Float64).softmax(-1).lt(epsilon), keep)).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the tokens of a probability of at least min(ε, √ε e^(−H)), H the entropy (Hewitt et al. 2022,
    /// arXiv:2210.15191).</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="epsilon">In [0, 1); 0 keeps all.</param>
    /// <param name="keep">The fewest tokens that stay.</param>
    public static Tensor EtaCutoff(Tensor scores, double epsilon, int keep = 1)
    {
        Check(scores, keep);
        CheckCutoff(epsilon);
        using var scope = NewDisposeScope();
        var logProbs = scores.to_type(ScalarType.Float64).log_softmax(-1);
        var eta = TokenLogProbs.EntropyOf(logProbs).neg().exp().mul(Math.Sqrt(epsilon)).clamp_max(epsilon).unsqueeze(-1);
        return Below(scores, Sparing(scores, logProbs.exp().lt(eta), keep)).MoveToOuterDisposeScope();
    }

    private static Tensor KthHighest(Tensor scores, int k)
    {
        k = (int)Math.Min(k, scores.size(1));
        return scores.topk(k, dim: -1).values.narrow(1, k - 1, 1);
    }

    private static Tensor Below(Tensor scores, Tensor gone) => scores.masked_fill(gone, double.NegativeInfinity);

    // What would go, but for the highest scores.
    private static Tensor Sparing(Tensor scores, Tensor gone, int keep) => gone.logical_and(scores.lt(KthHighest(scores, keep)));

    private static Tensor Unsorted(Tensor scores, Tensor gone, Tensor ids, int keep, bool fromEnd)
    {
        var count = gone.size(1);
        var spared = Math.Min(keep, count);
        gone.narrow(1, fromEnd ? count - spared : 0, spared).fill_(false);
        return Below(scores, zeros_like(gone).scatter(1, ids, gone));
    }

    private static void Check(Tensor scores, int keep)
    {
        Matrix(scores);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keep);
    }

    private static void Matrix(Tensor scores)
    {
        Guard.Floating(scores, nameof(scores));
        if (scores.dim() != 2)
            throw new ArgumentException($"scores has shape {Guard.Shape(scores)}, expected [B,V]", nameof(scores));
    }

    private static void CheckShare(double share, string name)
    {
        if (!(share > 0 && share <= 1))
            throw new ArgumentOutOfRangeException(name, share, $"{name} must be in (0, 1].");
    }

    private static void CheckCutoff(double epsilon)
    {
        if (!(epsilon >= 0 && epsilon < 1))
            throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "epsilon must be in [0, 1).");
    }
}
