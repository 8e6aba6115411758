using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>The distribution that sampling draws from, before top-k and top-p: suppressed tokens at −∞, logits divided by the
/// temperature.</summary>
/// <remarks>Sampling and training share it, so that the log-probs of both are of the same distribution. Greedy sampling counts as
/// temperature 1.</remarks>
internal sealed class LogitShaping : IDisposable
{
    private readonly double temperature;
    private readonly Tensor? suppression;

    internal LogitShaping(SamplingOptions options, int vocabularySize, Device device)
    {
        temperature = options.Temperature == 0 ? 1 : options.Temperature;
        if (options.SuppressedTokens.Count == 0)
            return;
        var bias = new float[vocabularySize];
        foreach (var id in options.SuppressedTokens)
            bias[id] = float.NegativeInfinity;
        suppression = tensor(bias, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
    }

    /// <summary>Shapes logits, [..., V]; a half type becomes float32, as it has too few digits for a distribution over many
    /// tokens.</summary>
    internal Tensor Apply(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var shaped = Precision.IsHalf(logits.dtype) ? logits.AtLeastSingle() : logits.alias();
        if (suppression is not null)
            shaped = shaped + suppression;
        if (temperature != 1)
            shaped = LogitProcessors.Temperature(shaped, temperature);
        return shaped.MoveToOuterDisposeScope();
    }

    public void Dispose() => suppression?.Dispose();
}
