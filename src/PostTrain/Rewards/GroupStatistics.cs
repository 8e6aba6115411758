namespace PostTrain.Rewards;

/// <summary>Statistics of the applicable values of a group.</summary>
internal static class GroupStatistics
{
    /// <summary>Replaces the values at these indices by (v − mean)/(std + ε); NaN is skipped and remains.</summary>
    internal static void Normalize(double[] values, int[] group, double epsilon)
    {
        var applicable = group.Where(i => !double.IsNaN(values[i])).ToArray();
        if (applicable.Length == 0)
            return;
        var mean = applicable.Average(i => values[i]);
        var isConstant = applicable.All(i => values[i] == values[applicable[0]]);
        // Equal values give exactly 0: rounding of their mean must not produce an advantage.
        var deviation = isConstant ? 0 : Math.Sqrt(applicable.Sum(i => (values[i] - mean) * (values[i] - mean)) / (applicable.Length - 1));
        foreach (var i in applicable)
            values[i] = isConstant ? 0 : (values[i] - mean) / (deviation + epsilon);
    }
}
