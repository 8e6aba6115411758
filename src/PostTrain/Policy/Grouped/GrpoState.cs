using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>The state that changes from step to step in addition to the model: the weights of the KL penalty and the entropy bonus, and the
/// groups kept for replay.</summary>
internal sealed class GrpoState : ITrainerState, IDisposable
{
    private const string KlName = "kl_coefficient";
    private const string EntropyName = "entropy_coefficient";
    private const string LastEntropyName = "last_entropy";

    internal GrpoState(GrpoOptions options, int vocabularySize)
    {
        Kl = options.Kl?.Control;
        Entropy = options.Entropy;
        Replay = options.Replay is { } replay ? new ReplayBuffer(replay, options.GroupSize, vocabularySize, options.Seed) : null;
    }

    internal KlControl? Kl { get; set; }

    internal EntropyControl? Entropy { get; set; }

    /// <summary>Mean entropy of the last step; infinite before the first.</summary>
    internal double LastEntropy { get; set; } = double.PositiveInfinity;

    internal ReplayBuffer? Replay { get; }

    public IReadOnlyDictionary<string, double> Values
    {
        get
        {
            var values = new Dictionary<string, double>();
            if (Kl is not null)
                values[KlName] = Kl.Coefficient;
            if (Entropy is not null)
                values[EntropyName] = Entropy.Coefficient;
            if (Entropy is { Lagged: true })
                values[LastEntropyName] = LastEntropy;
            return values;
        }
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => Replay is null ? [] : [.. Replay.Tensors];

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        double Value(string name) =>
            values.TryGetValue(name, out double value) && value >= 0 && double.IsFinite(value)
                ? value
                : throw new InvalidDataException(
                    $"the checkpoint's {name} is {(values.TryGetValue(name, out double found) ? found : "missing")}, expected a "
                        + "number of at least 0"
                );
        if (
            tensors.Keys.FirstOrDefault(name => Replay is null || !name.StartsWith(ReplayBuffer.Prefix, StringComparison.Ordinal)) is
            { } surplus
        )
            throw new InvalidDataException($"tensor {surplus} belongs to nothing that this run keeps");
        var kl = Kl?.At(Value(KlName));
        var entropy = Entropy?.At(Value(EntropyName));
        double last = double.PositiveInfinity;
        if (entropy is { Lagged: true } && !(values.TryGetValue(LastEntropyName, out last) && last >= 0))
            throw new InvalidDataException($"the checkpoint's {LastEntropyName} is missing or {last}, expected a number of at least 0");
        var replay = Replay?.Read(tensors);
        (Kl, Entropy, LastEntropy) = (kl, entropy, last);
        if (replay is not null)
            Replay!.Replace(replay);
    }

    public void Dispose() => Replay?.Dispose();
}
