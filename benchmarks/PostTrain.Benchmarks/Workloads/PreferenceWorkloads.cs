using PostTrain.Preference;
using PostTrain.RewardModeling;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>DPO of B pairs with one of its losses, beta 0.1.</summary>
internal sealed class Dpo(string id, DpoLoss loss) : IWorkload
{
    private readonly DpoOptions options = new() { Beta = 0.1, Loss = loss };

    public string Id => id;

    public IReadOnlyList<string> Sizes => ["8", "64", "1024"];

    public Call Setup(string size, Inputs inputs)
    {
        var shape = Inputs.Dimensions(size);
        var (chosen, rejected) = (inputs.Leaf(shape, 0.1, -2), inputs.Leaf(shape, 0.1, -2));
        var policy = new PairLogProbs(chosen, rejected, inputs.Lengths(shape[0], 8, 128), inputs.Lengths(shape[0], 8, 128));
        var reference = new PairLogProbs(inputs.Near(chosen, 0.05), inputs.Near(rejected, 0.05));
        return new(Gradients.Of(() => PreferenceLosses.Dpo(policy, reference, options).Loss, chosen, rejected), TrafficBytes: 24.0 * shape[0]);
    }
}

/// <summary>KTO of B completions, every second desirable, with its reference point.</summary>
internal sealed class Kto : IWorkload
{
    public string Id => "K.kto";

    public IReadOnlyList<string> Sizes => ["8", "64", "1024"];

    public Call Setup(string size, Inputs inputs)
    {
        var shape = Inputs.Dimensions(size);
        var (logProbs, mismatched) = (inputs.Leaf(shape, 0.1, -2), inputs.Normal(shape, 0.1, -2));
        var (reference, mismatchedReference) = (inputs.Near(logProbs, 0.05), inputs.Near(mismatched, 0.05));
        var desirable = arange(shape[0]) % 2 == 0;
        return new(Gradients.Of(() => UnpairedLosses.Kto(logProbs, reference, desirable,
            UnpairedLosses.ReferencePoint(mismatched, mismatchedReference)).Loss, logProbs), TrafficBytes: 21.0 * shape[0]);
    }
}

/// <summary>Bradley-Terry loss of B pairs of rewards.</summary>
internal sealed class BradleyTerry : IWorkload
{
    public string Id => "K.bradley_terry";

    public IReadOnlyList<string> Sizes => ["8", "64", "1024"];

    public Call Setup(string size, Inputs inputs)
    {
        var shape = Inputs.Dimensions(size);
        var (chosen, rejected) = (inputs.Leaf(shape), inputs.Leaf(shape));
        return new(Gradients.Of(() => RewardModelLosses.BradleyTerry(chosen, rejected).Loss, chosen, rejected), TrafficBytes: 16.0 * shape[0]);
    }
}
