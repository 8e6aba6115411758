using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>A reduction of per-token losses to one number.</summary>
/// <remarks>
/// Each aggregation is numerator / denominator, both additive over the sequences of a batch. A batch processed in parts (gradient
/// accumulation, several ranks) gives the same loss and gradient as one batch if every part is divided by the <see cref="Denominator"/> of
/// the whole, the sum of the parts' denominators, which is known before the first backward pass. A batch without a counted token gives 0.
/// </remarks>
public abstract record LossAggregation
{
    private LossAggregation() { }

    /// <summary>Σ m·l / Σ m: every token of the batch has the same weight (DAPO, arXiv:2503.14476, eq. 8).</summary>
    public static LossAggregation TokenMean { get; } = new TokenMeanAggregation();

    /// <summary>Σ m·l: no division, unless a denominator is given.</summary>
    public static LossAggregation TokenSum { get; } = new TokenSumAggregation();

    /// <summary>(1/B) Σ_i Σ_t m·l: the mean of the sequences' sums, as in the policy gradient of whole completions; <see
    /// cref="SequenceSum"/> with n = 1.</summary>
    public static LossAggregation SequenceMeanOfSums { get; } = new SequenceSumAggregation(1);

    /// <summary>(1/B) Σ_i (1/|y_i|) Σ_t m·l: every sequence has the same weight (GRPO, arXiv:2402.03300, eq. 3). A sequence without a
    /// counted token gives 0 and counts in B.</summary>
    public static LossAggregation SequenceMean { get; } = new SequenceMeanAggregation(CountsEmpty: true);

    /// <summary><see cref="SequenceMean"/> over the sequences that have a counted token, as in verl: one that lost all its tokens does not
    /// count in B.</summary>
    public static LossAggregation NonEmptySequenceMean { get; } = new SequenceMeanAggregation(CountsEmpty: false);

    /// <summary>(1/B) Σ_i (1/n) Σ_t m·l with a constant n: no weight depends on a length (Dr. GRPO, arXiv:2503.20783).</summary>
    /// <param name="normalizer">n, above 0: usually the maximum completion length; 1 gives the mean of the sequences' sums.</param>
    public static LossAggregation SequenceSum(double normalizer = 1)
    {
        Guard.Positive(normalizer, nameof(normalizer));
        return new SequenceSumAggregation(normalizer);
    }

    /// <summary>Creates an aggregation of your own, Σ w·m·l / D.</summary>
    /// <param name="name">Name in error messages.</param>
    /// <param name="weights">Computes w from the mask, [B,T] each. A row's weights depend on that row alone, so that parts of a batch sum
    /// to the whole.</param>
    /// <param name="denominator">Computes D from the mask; at least 0 and additive over rows.</param>
    public static LossAggregation Of(string name, Func<Tensor, Tensor> weights, Func<Tensor, double> denominator)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(denominator);
        return new OwnAggregation(name, weights, denominator);
    }

    /// <summary>Computes the loss of a batch, or of a part of one.</summary>
    /// <param name="losses">Per-token losses, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where a token counts.</param>
    /// <param name="denominator">The <see cref="Denominator"/> of the whole batch if this is a part of it; null means its own.</param>
    /// <returns>A scalar; differentiable in the losses.</returns>
    public Tensor Apply(Tensor losses, Tensor mask, double? denominator = null)
    {
        Guard.Rank(losses, nameof(losses), 2, "[B,T]");
        Guard.Floating(losses, nameof(losses));
        Guard.SameShape(mask, nameof(mask), losses, nameof(losses));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        double divisor = denominator ?? Denominator(mask);
        using var scope = NewDisposeScope();
        return Numerator(losses, mask).div(divisor > 0 ? divisor : 1).MoveToOuterDisposeScope();
    }

    /// <summary>Returns the divisor of the sum: the batch's tokens for <see cref="TokenMean"/>, 1 for <see cref="TokenSum"/>, its sequences
    /// for the others.</summary>
    /// <param name="mask">[B,T].</param>
    public abstract double Denominator(Tensor mask);

    /// <summary>Computes the sum before the division.</summary>
    private protected abstract Tensor Numerator(Tensor losses, Tensor mask);

    private static double Tokens(Tensor mask)
    {
        using var scope = NewDisposeScope();
        return mask.to_type(ScalarType.Float64).sum().ToDouble();
    }

    internal sealed record OwnAggregation(string Name, Func<Tensor, Tensor> Weights, Func<Tensor, double> Divisor) : LossAggregation
    {
        public override double Denominator(Tensor mask)
        {
            using var scope = NewDisposeScope();
            return Divisor(mask) is var divisor && divisor >= 0 && double.IsFinite(divisor)
                ? divisor
                : throw new InvalidOperationException(
                    $"the aggregation '{Name}' returned a denominator of {divisor}, expected a finite number of at least 0"
                );
        }

        private protected override Tensor Numerator(Tensor losses, Tensor mask)
        {
            using var scope = NewDisposeScope();
            var weights = Guard.Result(Weights(mask), $"the aggregation '{Name}'", losses.shape, "the losses").detach();
            return Masked.Sum(losses * weights.to_type(losses.dtype), mask).MoveToOuterDisposeScope();
        }

        public override string ToString() => Name;
    }

    internal sealed record TokenMeanAggregation : LossAggregation
    {
        public override double Denominator(Tensor mask) => Tokens(mask);

        private protected override Tensor Numerator(Tensor losses, Tensor mask) => Masked.Sum(losses, mask);

        public override string ToString() => "token mean";
    }

    private sealed record TokenSumAggregation : LossAggregation
    {
        public override double Denominator(Tensor mask) => 1;

        private protected override Tensor Numerator(Tensor losses, Tensor mask) => Masked.Sum(losses, mask);

        public override string ToString() => "token sum";
    }

    internal sealed record SequenceMeanAggregation(bool CountsEmpty) : LossAggregation
    {
        public override double Denominator(Tensor mask)
        {
            if (CountsEmpty)
                return mask.size(0);
            using var scope = NewDisposeScope();
            return (mask != 0).any(1).sum().ToDouble();
        }

        private protected override Tensor Numerator(Tensor losses, Tensor mask) => Masked.Mean(losses, mask, 1).sum();

        public override string ToString() => CountsEmpty ? "sequence mean" : "mean of sequences with tokens";
    }

    private sealed record SequenceSumAggregation(double Normalizer) : LossAggregation
    {
        public override double Denominator(Tensor mask) => mask.shape[0] * Normalizer;

        private protected override Tensor Numerator(Tensor losses, Tensor mask) => Masked.Sum(losses, mask);

        public override string ToString() => FormattableString.Invariant($"sequence sum / {Normalizer}");
    }
}
