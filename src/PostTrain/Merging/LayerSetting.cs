namespace PostTrain.Merging;

/// <summary>A number that may depend on the layer and on the tensor's name: mergekit's settings.</summary>
public sealed class LayerSetting
{
    private readonly double[] values;
    private readonly (string? Filter, LayerSetting Value)[] rules;
    private readonly LayerSetting? otherwise;

    private LayerSetting(double[] values, (string? Filter, LayerSetting Value)[] rules, LayerSetting? otherwise = null) =>
        (this.values, this.rules, this.otherwise) = (values, rules, otherwise);

    /// <summary>Setting with one number for all layers.</summary>
    public static implicit operator LayerSetting(double value) => FromDouble(value);

    /// <summary>Setting with one number for all layers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not finite.</exception>
    public static LayerSetting FromDouble(double value) => Gradient([value]);

    /// <summary>Numbers at even distances from the first layer to the last, straight lines between them.</summary>
    /// <param name="values">At least one, finite.</param>
    public static LayerSetting Gradient(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count == 0)
            throw new ArgumentException("values has no entries, expected at least one number", nameof(values));
        foreach (var value in values)
            MergeCheck.Finite(value, nameof(values));
        return new LayerSetting([.. values], []);
    }

    /// <summary>The first setting whose filter is part of the tensor's name; a rule without a filter fits all.</summary>
    /// <param name="rules">At least one.</param>
    public static LayerSetting ByName(params (string? Filter, LayerSetting Value)[] rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        if (rules.Length == 0)
            throw new ArgumentException("rules has no entries, expected at least one", nameof(rules));
        foreach (var rule in rules)
            ArgumentNullException.ThrowIfNull(rule.Value, nameof(rules));
        return new LayerSetting([], [.. rules]);
    }

    /// <summary>Returns the setting with another one for layers that no filter matches.</summary>
    internal LayerSetting Else(LayerSetting? other) => new(values, rules, otherwise is null ? other : otherwise.Else(other));

    /// <summary>The number for a tensor, or null where no filter fits.</summary>
    /// <param name="tensor">Name of the tensor.</param>
    /// <param name="position">0 at the first layer to 1 at the last: layer / (layers − 1).</param>
    public double? At(string tensor, double position)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Numerics.Guard.Fraction(position, nameof(position));
        if (values.Length == 0)
        {
            var fitting = Array.Find(rules, rule => rule.Filter is null || tensor.Contains(rule.Filter, StringComparison.Ordinal));
            return fitting.Value?.At(tensor, position) ?? otherwise?.At(tensor, position);
        }

        var place = position * (values.Length - 1);
        var low = Math.Min((int)place, values.Length - 1);
        var share = place - low;
        return (1 - share) * values[low] + share * values[Math.Min(low + 1, values.Length - 1)];
    }
}
