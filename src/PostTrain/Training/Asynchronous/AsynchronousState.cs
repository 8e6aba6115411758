using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>State of a trainer beside the backlog of its asynchronous rollouts.</summary>
internal sealed class AsynchronousState(ITrainerState? own, RolloutBacklog backlog) : ITrainerState
{
    public IReadOnlyDictionary<string, double> Values => own?.Values ?? new Dictionary<string, double>();

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [.. own?.Tensors ?? [], .. backlog.Tensors];

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        var take = backlog.Read(tensors);
        var others = tensors
            .Where(item => !item.Key.StartsWith(RolloutBacklog.Prefix, StringComparison.Ordinal))
            .ToDictionary(item => item.Key, item => item.Value);
        if (own is null && others.Keys.FirstOrDefault() is { } surplus)
            throw new InvalidDataException($"tensor {surplus} belongs to nothing that this run keeps");
        own?.Restore(values, others);
        take();
    }
}
