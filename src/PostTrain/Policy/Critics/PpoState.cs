using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>What PPO keeps between steps: the coefficient of the KL penalty.</summary>
internal sealed class PpoState(KlControl kl) : Training.ITrainerState
{
    private const string Coefficient = "kl_coefficient";

    internal KlControl Kl { get; set; } = kl;

    public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double> { [Coefficient] = Kl.Coefficient };

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [];

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        if (!values.TryGetValue(Coefficient, out double kept))
            throw new InvalidDataException($"the value {Coefficient} is missing, expected a number of at least 0");
        if (!(kept >= 0) || double.IsInfinity(kept))
            throw new InvalidDataException($"the value {Coefficient} is {kept}, expected a finite number of at least 0");
        if (tensors.Keys.FirstOrDefault() is { } surplus)
            throw new InvalidDataException($"tensor {surplus} belongs to nothing that this run keeps");
        Kl = Kl.At(kept);
    }
}
