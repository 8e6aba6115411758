namespace PostTrain.Adapters;

/// <summary>The rule by which TIES elects the sign of an entry.</summary>
public enum MajoritySign
{
    /// <summary>By the sum of the values: the sign with the larger mass.</summary>
    Total,

    /// <summary>By the number of values with each sign.</summary>
    Frequency,
}
