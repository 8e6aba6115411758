using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Arguments of a policy kernel.</summary>
internal sealed record PolicyCall(Tensor LogProbs, Tensor OldLogProbs, Tensor Advantages, Tensor Mask)
{
    internal Tensor? Reference { get; init; }

    internal Tensor? Weights { get; init; }

    internal Tensor? ImportanceWeights { get; init; }

    internal RatioLevel Level { get; init; }

    internal double Beta { get; init; }

    internal KlEstimator Estimator { get; init; } = KlEstimator.K3;

    internal bool CorrectKl { get; init; }

    internal LossAggregation? Aggregation { get; init; }

    internal double? Denominator { get; init; }

    /// <summary>True if the pass can read these: one type, in CPU memory, and an aggregation whose weights are known.</summary>
    internal bool IsTaken =>
        LogProbs is not null
        && OldLogProbs is not null
        && Advantages is not null
        && Mask is { device_type: DeviceType.CPU }
        && Fused.Takes(LogProbs, OldLogProbs, Advantages, Reference, Weights, ImportanceWeights)
        && TokenWeights.Takes(Aggregation);

    internal ScalarType Check()
    {
        Guard.Rank(LogProbs, "logProbs", 2, "[B,T]");
        var type = KernelGuard.Number(LogProbs, "logProbs");
        KernelGuard.SameShape(OldLogProbs, "oldLogProbs", LogProbs, "logProbs");
        KernelGuard.SameShape(Mask, "mask", LogProbs, "logProbs");
        PerToken(Advantages, "advantages");
        if (ImportanceWeights is { } correction)
            PerToken(correction, "importanceWeights");
        if (Weights is { } weights)
            PerToken(weights, "weights");
        if (Reference is { } reference)
            KernelGuard.SameShape(reference, "referenceLogProbs", LogProbs, "logProbs");
        if (!Enum.IsDefined(Level))
            throw new ArgumentOutOfRangeException("level", Level, "expected Token, Sequence, SequenceToken or SequenceSum");
        if (!Enum.IsDefined(Estimator))
            throw new ArgumentOutOfRangeException(
                "estimator",
                Estimator,
                "expected K1, K2, K3, Absolute, K3StraightThrough or K1StraightThrough"
            );
        TokenWeights.Check(Aggregation);
        if (Denominator is { } given)
            Guard.NotNegative(given, "denominator");
        return type;
    }

    /// <summary>The loss with its graph, moved out of the caller's scope, and what the pass has found.</summary>
    /// <param name="surrogate">A surrogate that the pass takes.</param>
    /// <param name="reference">Loss and token losses by tensor operators, of log-probs, entropies, old log-probs, advantages, mask,
    /// reference, weights and importance weights.</param>
    /// <param name="entropy">Entropies with the value and the gradient of their term; null for none.</param>
    internal (PolicyResult Found, Tensor Loss, Tensor Losses) Run(
        PolicySurrogate surrogate,
        Func<Tensor?[], (Tensor Loss, Tensor Losses)> reference,
        (Tensor Entropy, double Value, Tensor Gradient)? entropy = null
    )
    {
        Check();
        var found = PolicyPass.Run(this, surrogate);
        var (loss, losses) = LossOperator.Run(
            found.Loss + (entropy?.Value ?? 0),
            found.Losses,
            [found.Gradient, entropy?.Gradient],
            [LogProbs, entropy?.Entropy, OldLogProbs, Advantages, Mask, Reference, Weights, ImportanceWeights],
            reference
        );
        return (found, loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope());
    }

    /// <summary>A diagnostic as a scalar of the losses' type, outside of the caller's scope.</summary>
    internal static Tensor Scalar(double value, Tensor losses) => tensor(value, dtype: losses.dtype).MoveToOuterDisposeScope();

    private void PerToken(Tensor values, string name)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        if (values.dim() == 1 && values.size(0) == LogProbs.size(0))
            return;
        if (values.dim() == 2 && values.size(0) == LogProbs.size(0) && values.size(1) == LogProbs.size(1))
            return;
        throw new ArgumentException(
            $"{name} has shape {Guard.Shape(values)}, expected {Guard.Shape(LogProbs)} as logProbs, or [{LogProbs.size(0)}]",
            name
        );
    }
}
