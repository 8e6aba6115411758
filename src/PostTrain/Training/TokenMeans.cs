using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Means over all counted tokens of a step, gathered from the means of its parts.</summary>
/// <param name="tokens">Counted tokens of the whole step.</param>
internal sealed class TokenMeans(double tokens)
{
    private readonly Dictionary<string, double> sums = [];

    /// <summary>Adds a part's mean, weighed with the part's tokens.</summary>
    internal void Add(string name, Tensor mean, Tensor mask)
    {
        using var scope = NewDisposeScope();
        sums[name] = sums.GetValueOrDefault(name) + mean.ToDouble() * mask.sum().ToDouble();
    }

    internal void AddTo(Dictionary<string, double> metrics)
    {
        foreach (var (name, sum) in sums) metrics[name] = tokens > 0 ? sum / tokens : 0;
    }
}
