using PostTrain.Distillation;
using PostTrain.Kernels;
using PostTrain.Supervised;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>Mean cross-entropy, NxV; every tenth target does not count.</summary>
internal sealed class CrossEntropy : IWorkload
{
    public string Id => "K.cross_entropy";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("512x256", "1024x8192", "2048x32768");

    public Call Setup(string size, Inputs inputs)
    {
        var (d, isReference) = ReferenceSizes.Parse(size);
        var logits = inputs.Leaf([1, d[0], d[1]], 2);
        var mask = (arange(d[0]) % 10 != 0).unsqueeze(0);
        var targets = inputs.Ids([1, d[0]], d[1]).masked_fill(mask.logical_not(), -100);
        return new(
            isReference
                ? Gradients.Of(() => SupervisedLosses.NegativeLogLikelihood(logits, targets, mask).Loss, logits)
                : ReferenceSizes.Scoped(() => SupervisedKernels.CrossEntropy(logits, targets, mask)),
            TrafficBytes: 8.0 * d[0] * d[1]
        );
    }
}

/// <summary>Mean cross-entropy of hidden·Wᵀ, NxHxV, without all logits at once.</summary>
internal sealed class LinearCrossEntropy : IWorkload
{
    public string Id => "K.linear_cross_entropy";

    public IReadOnlyList<string> Sizes => ["1024x256x8192", "1024x576x49152"];

    public Call Setup(string size, Inputs inputs)
    {
        var d = Inputs.Dimensions(size);
        var hidden = inputs.Leaf([1, d[0], d[1]]);
        var weight = inputs.Leaf([d[2], d[1]], 1 / Math.Sqrt(d[1]));
        var (targets, mask) = (inputs.Ids([1, d[0]], d[2]), ones(1, d[0]));
        return new(
            Gradients.Of(() => SupervisedLosses.ChunkedCrossEntropy(hidden, weight, targets, mask).Loss, hidden, weight),
            6.0 * d[0] * d[1] * d[2],
            8.0 * (d[0] + d[2]) * d[1],
            "GFLOP/s",
            6e-9 * d[0] * d[1] * d[2]
        );
    }
}

/// <summary>Jensen-Shannon divergence of a student from its teacher, NxV.</summary>
internal sealed class JensenShannon : IWorkload
{
    private readonly DistillationObjective options = new() { Divergence = Divergence.GeneralizedJsd(0.5) };

    public string Id => "K.jsd";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("256x8192");

    public Call Setup(string size, Inputs inputs)
    {
        var (d, isReference) = ReferenceSizes.Parse(size);
        var student = inputs.Leaf([1, d[0], d[1]], 2);
        var (teacher, mask) = (inputs.Normal([1, d[0], d[1]], 2), ones(1, d[0]));
        return new(
            isReference
                ? Gradients.Of(() => DistillationLosses.Distill(student, teacher, mask, options).Loss, student)
                : ReferenceSizes.Scoped(() => DistillationKernels.Distill(student, teacher, mask, options)),
            TrafficBytes: 12.0 * d[0] * d[1]
        );
    }
}
