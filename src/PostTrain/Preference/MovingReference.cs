using PostTrain.Models;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>A reference that follows the policy, as in TR-DPO: its parameters belong to the run and into its checkpoints.</summary>
internal sealed class MovingReference(CausalLm model) : ITrainerState
{
    private long moved = -1;

    public IReadOnlyDictionary<string, double> Values { get; } = new Dictionary<string, double>();

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors =>
        [.. model.named_parameters().Select(item => ($"reference.{item.name}", (Tensor)item.parameter))];

    /// <summary>The state to keep, where the reference moves.</summary>
    /// <exception cref="ArgumentException">The reference is to move and is no model of its own.</exception>
    internal static MovingReference? Of(ReferencePolicy? reference, ReferenceTrainerOptions options)
    {
        if (options.ReferenceSyncEvery == 0)
            return null;
        return reference?.Own is { } model
            ? new MovingReference(model)
            : throw new ArgumentException(
                $"ReferenceSyncEvery is {options.ReferenceSyncEvery}, which needs a reference that is a model of its own",
                nameof(reference)
            );
    }

    /// <summary>Moves the reference towards the policy before a step; once, however often the step is tried.</summary>
    internal void Follow(CausalLm policy, double mix, long step)
    {
        if (moved == step)
            return;
        ReferenceSync.Blend(model.parameters(), policy.parameters(), mix);
        moved = step;
    }

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        var targets = Tensors;
        foreach (var (name, target) in targets)
            if (!tensors.TryGetValue(name, out var kept) || !kept.shape.SequenceEqual(target.shape))
                throw new InvalidDataException(
                    $"tensor {name} of the reference is missing or of another shape, expected [{string.Join(",", target.shape)}]"
                );
        if (tensors.Keys.Except(targets.Select(item => item.Name)).FirstOrDefault() is { } surplus)
            throw new InvalidDataException($"tensor {surplus} belongs to no parameter of the reference");
        using var mode = no_grad();
        foreach (var (name, target) in targets)
            target.copy_(tensors[name]);
        moved = -1;
    }
}
