using PostTrain.Kernels;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>Sizes of a workload that a kernel computes: each once for the kernel and once, with a suffix, for the functions on tensors
/// that it is compared with.</summary>
internal static class ReferenceSizes
{
    private const string Suffix = "/reference";

    public static IReadOnlyList<string> Of(params string[] sizes) => [.. sizes.SelectMany(size => new[] { size, size + Suffix })];

    /// <summary>The numbers of a size, and whether it asks for the functions on tensors.</summary>
    public static (long[] Dimensions, bool IsReference) Parse(string size)
    {
        bool isReference = size.EndsWith(Suffix, StringComparison.Ordinal);
        return (Inputs.Dimensions(isReference ? size[..^Suffix.Length] : size), isReference);
    }

    /// <summary>A call that leaves nothing behind.</summary>
    public static Action Scoped(Action call) =>
        () =>
        {
            using var scope = NewDisposeScope();
            call();
        };
}

/// <summary>DPO of B pairs with one of its losses, beta 0.1.</summary>
internal sealed class Dpo(string id, DpoLoss loss) : IWorkload
{
    private readonly DpoObjective options = new() { Beta = 0.1, Loss = loss };

    public string Id => id;

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8", "64", "1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (chosen, rejected) = (inputs.Leaf(shape, 0.1, -2), inputs.Leaf(shape, 0.1, -2));
        var policy = new PairLogProbs(chosen, rejected, inputs.Lengths(shape[0], 8, 128), inputs.Lengths(shape[0], 8, 128));
        var reference = new PairLogProbs(inputs.Near(chosen, 0.05), inputs.Near(rejected, 0.05));
        return new(
            isReference
                ? Gradients.Of(() => PreferenceLosses.Dpo(policy, reference, options).Loss, chosen, rejected)
                : ReferenceSizes.Scoped(() => PairwiseKernels.Dpo(policy, reference, options)),
            TrafficBytes: 24.0 * shape[0]
        );
    }
}

/// <summary>KTO of B completions, every second desirable, with its reference point.</summary>
internal sealed class Kto : IWorkload
{
    public string Id => "K.kto";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8", "64", "1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (logProbs, mismatched) = (inputs.Leaf(shape, 0.1, -2), inputs.Normal(shape, 0.1, -2));
        var (reference, mismatchedReference) = (inputs.Near(logProbs, 0.05), inputs.Near(mismatched, 0.05));
        var desirable = arange(shape[0]) % 2 == 0;
        return new(
            isReference
                ? Gradients.Of(
                    () =>
                        UnpairedLosses
                            .Kto(logProbs, reference, desirable, UnpairedLosses.ReferencePoint(mismatched, mismatchedReference))
                            .Loss,
                    logProbs
                )
                : ReferenceSizes.Scoped(() =>
                    CompletionKernels.Kto(logProbs, reference, desirable, CompletionKernels.ReferencePoint(mismatched, mismatchedReference))
                ),
            TrafficBytes: 21.0 * shape[0]
        );
    }
}

/// <summary>Bradley-Terry loss of B pairs of rewards.</summary>
internal sealed class BradleyTerry : IWorkload
{
    public string Id => "K.bradley_terry";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("8", "64", "1024");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var (chosen, rejected) = (inputs.Leaf(shape), inputs.Leaf(shape));
        return new(
            isReference
                ? Gradients.Of(() => RewardModelLosses.BradleyTerry(chosen, rejected).Loss, chosen, rejected)
                : ReferenceSizes.Scoped(() => PairwiseKernels.BradleyTerry(chosen, rejected)),
            TrafficBytes: 16.0 * shape[0]
        );
    }
}
