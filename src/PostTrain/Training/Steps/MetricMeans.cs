using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Means over a step or an evaluation, gathered from the weighted means of its parts.</summary>
public sealed class MetricMeans
{
    private readonly Dictionary<string, (double Sum, double Weight)> sums = [];
    private List<MetricEntry>? recorded;

    /// <summary>Adds a part's mean.</summary>
    /// <param name="name">Name of the metric.</param>
    /// <param name="mean">Mean over the part.</param>
    /// <param name="weight">The weight of the part: the number of its tokens or pairs. Nothing is added for 0.</param>
    public void Add(string name, double mean, double weight)
    {
        // A part without a counted token has no mean; 0·NaN must not spoil the others.
        if (weight == 0)
            return;
        if (recorded is not null)
        {
            recorded.Add(new MetricEntry(name, mean, weight));
            return;
        }
        var (sum, all) = sums.GetValueOrDefault(name);
        sums[name] = (sum + mean * weight, all + weight);
    }

    /// <summary>Adds the mean of a part from a scalar tensor.</summary>
    /// <inheritdoc cref="Add(string, double, double)"/>
    public void Add(string name, Tensor mean, double weight) => Add(name, mean.ToDouble(), weight);

    /// <summary>Adds a part's share of a loss: the shares of an update's parts add up to its loss, and the mean is over updates, however
    /// many parts each has.</summary>
    internal void AddShare(string name, Tensor share, int parts) => Add(name, share.ToDouble() * parts, 1.0 / parts);

    /// <summary>Keeps what is added from now on apart, in <see cref="Recorded"/>.</summary>
    internal void BeginRecord() => recorded = [];

    /// <summary>Means added since <see cref="BeginRecord"/>.</summary>
    internal IReadOnlyList<MetricEntry> Recorded => recorded!;

    /// <summary>Adds to the means again; what was recorded is not among them.</summary>
    internal void EndRecord() => recorded = null;

    /// <summary>The mean of a name; null where nothing was added.</summary>
    internal double? Of(string name) => sums.TryGetValue(name, out var found) ? found.Sum / found.Weight : null;

    /// <summary>Writes each mean under its name, with a prefix.</summary>
    internal void AddTo(Dictionary<string, double> metrics, string prefix = "")
    {
        foreach (var (name, (sum, weight)) in sums)
            metrics[prefix + name] = sum / weight;
    }
}
