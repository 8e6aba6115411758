using PostTrain.Numerics;

namespace PostTrain.Training.Diagnostics;

/// <summary>The first and the latest values of one metric, in bounded memory.</summary>
/// <remarks>Values that are not finite are left out.</remarks>
public sealed class MetricCourse
{
    /// <summary>Number of first values that are kept.</summary>
    public const int FirstKept = 128;

    /// <summary>Number of latest values that are kept.</summary>
    public const int LastKept = 512;

    private readonly List<double> first = [];
    private readonly (long Step, double Value)[] last = new (long, double)[LastKept];

    /// <summary>Number of finite values so far.</summary>
    public long Count { get; private set; }

    /// <summary>The latest value.</summary>
    /// <exception cref="InvalidOperationException">There is no value yet.</exception>
    public double Last => Back(0).Value;

    /// <summary>Returns the mean of the first values; null if there are fewer.</summary>
    /// <param name="values">1 to <see cref="FirstKept"/>.</param>
    public double? FirstMean(int values)
    {
        Guard.AtLeast(values, 1, nameof(values));
        return first.Count < values ? null : first.Take(values).Average();
    }

    /// <summary>Returns the mean of the latest values; null if there are fewer.</summary>
    /// <param name="values">1 or more; with <paramref name="skip"/> at most <see cref="LastKept"/>.</param>
    /// <param name="skip">Number of latest values to leave out.</param>
    public double? RecentMean(int values, int skip = 0)
    {
        Guard.AtLeast(values, 1, nameof(values));
        return Count < values + skip || values + skip > LastKept ? null : Enumerable.Range(skip, values).Average(i => Back(i).Value);
    }

    /// <summary>Returns true if there are at least <paramref name="values"/> values and the latest of them all meet a condition.</summary>
    public bool RecentAll(int values, Func<double, bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return Count >= values && values <= LastKept && Enumerable.Range(0, values).All(i => condition(Back(i).Value));
    }

    /// <summary>Returns the latest values with their steps, oldest first: at most <see cref="LastKept"/>.</summary>
    public IEnumerable<(long Step, double Value)> Recent(int values = LastKept)
    {
        int kept = (int)Math.Min(Count, Math.Min(values, LastKept));
        for (int i = kept - 1; i >= 0; i--)
            yield return Back(i);
    }

    internal void Add(long step, double value)
    {
        if (!double.IsFinite(value))
            return;
        if (first.Count < FirstKept)
            first.Add(value);
        last[Count % LastKept] = (step, value);
        Count++;
    }

    private (long Step, double Value) Back(int i) =>
        i < Count
            ? last[(Count - 1 - i) % LastKept]
            : throw new InvalidOperationException($"the metric has {Count} values, expected more than {i}");
}
