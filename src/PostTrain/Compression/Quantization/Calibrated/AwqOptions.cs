using PostTrain.Numerics;

namespace PostTrain.Compression.Quantization;

/// <summary>Options of AWQ.</summary>
public sealed record AwqOptions
{
    /// <summary>Bits and groups; AWQ's own range is <see cref="IntegerRange.MinMax"/>.</summary>
    public IntegerOptions Integers { get; init; } = new() { GroupSize = 128, Range = IntegerRange.MinMax };

    /// <summary>Exponents that are tried: i / Grid for i below Grid, at least 1.</summary>
    /// <value>The default is 20.</value>
    public int Grid { get; init; } = 20;

    /// <summary>True to also search the largest magnitude of each group, if calibration kept inputs (<see
    /// cref="CalibrationOptions.Samples"/>); the columns must form whole groups.</summary>
    /// <value>The default is false.</value>
    public bool Clip { get; init; }

    internal void Validate()
    {
        Integers.Validate();
        Guard.AtLeast(Grid, 1, nameof(Grid));
    }
}
