using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>AdaLoRA's part of an update: the orthogonality penalty, and the allocation of ranks after the step.</summary>
internal sealed class AdaLoraTerm(AdaLoraOptions options, AdaLoraLinear[] layers) : IUpdateTerm
{
    public string Name => "orthogonality";

    public void Begin(long updates)
    {
        if (Total(updates) <= (long)options.WarmupSteps + options.FinalSteps)
            throw new ArgumentException(
                $"the run has {updates} updates, AdaLoRA's WarmupSteps plus FinalSteps are "
                    + $"{(long)options.WarmupSteps + options.FinalSteps}; expected fewer than the run's",
                nameof(updates)
            );
    }

    public Tensor? Penalty()
    {
        if (options.OrthogonalityWeight == 0 || layers.Length == 0)
            return null;
        using var scope = NewDisposeScope();
        return (stack(layers.Select(layer => layer.Penalty()).ToArray(), 0).mean() * options.OrthogonalityWeight).MoveToOuterDisposeScope();
    }

    public void AfterUpdate(UpdateMoment moment) => new AdaLoraAllocator(options, layers, Total(moment.Total)).Update(moment.Update);

    private long Total(long updates) => options.TotalSteps > 0 ? options.TotalSteps : updates;
}
