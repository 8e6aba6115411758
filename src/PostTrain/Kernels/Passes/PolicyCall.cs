using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

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
            throw new ArgumentOutOfRangeException(nameof(Level), Level, "expected Token, Sequence, SequenceToken or SequenceSum");
        if (!Enum.IsDefined(Estimator))
            throw new ArgumentOutOfRangeException(
                nameof(Estimator),
                Estimator,
                "expected K1, K2, K3, Absolute, K3StraightThrough or K1StraightThrough"
            );
        ClosedForms.Check(Aggregation);
        if (Denominator is { } given)
            Guard.NotNegative(given, "denominator");
        return type;
    }

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
