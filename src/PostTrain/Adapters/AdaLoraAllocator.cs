using PostTrain.Adapters.Layers;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>Reduces the ranks of an AdaLoRA adapter to a falling budget, pruning the least important directions first.</summary>
/// <remarks>Zhang et al. 2023, arXiv:2303.10512, eq. 6, 8 to 10 and section 3.3, with PEFT's details. The running importances are buffers
/// of the model and thus part of checkpoints. Trainers do this by themselves; the class serves loops of one's own.</remarks>
public sealed class AdaLoraAllocator
{
    private readonly AdaLoraOptions options;
    private readonly AdaLoraLinear[] layers;
    private readonly long total;

    /// <param name="adapted">The adapted model.</param>
    /// <param name="name">Name of the adapter.</param>
    /// <exception cref="ArgumentException">The adapter is not AdaLoRA, or its TotalSteps is not set.</exception>
    public AdaLoraAllocator(AdaptedModel adapted, string name = "default")
    {
        ArgumentNullException.ThrowIfNull(adapted);
        options =
            adapted.Options(name) as AdaLoraOptions
            ?? throw new ArgumentException($"the adapter '{name}' is {adapted.Options(name).Method}, expected AdaLoRA", nameof(name));
        if (options.TotalSteps == 0)
            throw new ArgumentException($"the adapter '{name}' has no TotalSteps, expected the steps of the run", nameof(name));
        total = options.TotalSteps;
        layers = [.. adapted.Pieces(name).OfType<AdaLoraLinear>()];
        InitialBudget = layers.Sum(layer => layer.Rank);
        TargetBudget = layers.Length * options.TargetRank;
    }

    internal AdaLoraAllocator(AdaLoraOptions options, AdaLoraLinear[] layers, long total)
    {
        (this.options, this.layers, this.total) = (options, layers, total);
        InitialBudget = layers.Sum(layer => layer.Rank);
        TargetBudget = layers.Length * options.TargetRank;
    }

    /// <summary>Number of directions of all layers at the start.</summary>
    public int InitialBudget { get; }

    /// <summary>Number of directions of all layers at the end.</summary>
    public int TargetBudget { get; }

    /// <summary>Number of directions of all layers that are kept now.</summary>
    public int Kept => layers.Sum(layer => layer.Kept());

    /// <summary>Returns the number of directions allowed at a step, and true if ranks are pruned: constant, then a cubic decay, then
    /// constant.</summary>
    public (int Budget, bool Cuts) BudgetAt(long step)
    {
        Guard.AtLeast(step, 0, nameof(step));
        if (step <= options.WarmupSteps)
            return (InitialBudget, false);
        if (step > total - options.FinalSteps)
            return (TargetBudget, true);
        var rest = 1 - ((step - options.WarmupSteps) / (double)(total - options.FinalSteps - options.WarmupSteps));
        return ((int)(((InitialBudget - TargetBudget) * rest * rest * rest) + TargetBudget), step % options.Interval == 0);
    }

    /// <summary>Updates importances and ranks; call it at each step after the optimiser's, before the gradients are cleared.</summary>
    /// <param name="step">Number of updates made. At TotalSteps − FinalSteps the target is reached.</param>
    /// <returns>The step's budget.</returns>
    /// <exception cref="InvalidOperationException">There are no gradients.</exception>
    public int Update(long step)
    {
        var last = total - options.FinalSteps;
        var (budget, cuts) = BudgetAt(step);
        if (step > last)
        {
            foreach (var layer in layers)
                layer.Mask();
            return budget;
        }

        if (step < last)
        {
            foreach (var layer in layers)
                layer.Observe(options.Beta1, options.Beta2);
        }

        if ((cuts || step == last) && InitialBudget > budget)
            Cut(budget);
        return budget;
    }

    private void Cut(int budget)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var threshold = cat(layers.Select(layer => layer.Scores()).ToArray(), 0).kthvalue(InitialBudget - budget, 0).values.ToDouble();
        foreach (var layer in layers)
            layer.Keep(threshold);
    }
}
