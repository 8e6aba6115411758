using PostTrain.Kernels;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>Log-probabilities of given tokens, NxV, with a given gradient of each.</summary>
internal sealed class LogProb : IWorkload
{
    public string Id => "K.logprob";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("512x256", "1024x8192", "2048x32768");

    public Call Setup(string size, Inputs inputs)
    {
        var (logits, targets, gradient, traffic, isReference) = LogProbInputs.Make(size, inputs);
        return new(
            isReference
                ? Gradients.Given(() => TokenLogProbs.Gather(logits, targets), gradient, logits)
                : ReferenceSizes.Scoped(() => LogProbKernels.GatherWithGradient(logits, targets, gradient)),
            TrafficBytes: traffic
        );
    }
}

/// <summary>Log-probabilities with each row's entropy as a value without a gradient, as for logging.</summary>
internal sealed class LogProbEntropy : IWorkload
{
    public string Id => "K.logprob_entropy";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("512x256", "1024x8192", "2048x32768");

    public Call Setup(string size, Inputs inputs)
    {
        var (logits, targets, gradient, traffic, isReference) = LogProbInputs.Make(size, inputs);
        return new(
            isReference
                ? Gradients.Given(
                    () =>
                    {
                        using (no_grad())
                            TokenLogProbs.Entropy(logits);
                        return TokenLogProbs.Gather(logits, targets);
                    },
                    gradient,
                    logits
                )
                : ReferenceSizes.Scoped(() => LogProbKernels.GatherWithGradient(logits, targets, gradient, entropy: true)),
            TrafficBytes: traffic
        );
    }
}

/// <summary>Log-probabilities and entropies, both with a given gradient.</summary>
internal sealed class LogProbEntropyGradient : IWorkload
{
    public string Id => "K.logprob_entropy_grad";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("512x256", "1024x8192");

    public Call Setup(string size, Inputs inputs)
    {
        var (logits, targets, gradient, traffic, isReference) = LogProbInputs.Make(size, inputs);
        var entropyGradient = inputs.Normal(gradient.shape);
        return new(
            ReferenceSizes.Scoped(() =>
            {
                if (!isReference)
                    LogProbKernels.GatherWithGradient(logits, targets, gradient, entropyGradient);
                else
                    autograd.grad(
                        [TokenLogProbs.Gather(logits, targets), TokenLogProbs.Entropy(logits)],
                        [logits],
                        [gradient, entropyGradient]
                    );
            }),
            TrafficBytes: traffic
        );
    }
}

internal static class LogProbInputs
{
    public static (Tensor Logits, Tensor Targets, Tensor Gradient, double TrafficBytes, bool IsReference) Make(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        // The logits are read and their gradient is written.
        return (inputs.Leaf(shape, 2), inputs.Ids([shape[0]], shape[1]), inputs.Normal([shape[0]]), 8.0 * shape[0] * shape[1], isReference);
    }
}
