using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Options of <see cref="Reward.CosineLength"/>.</summary>
public sealed record CosineLengthOptions
{
    /// <summary>L_max in tokens, at least 1. Default 1000.</summary>
    public int MaximumLength { get; init; } = 1000;

    /// <summary>Reward of the shortest correct answer. Default 1.</summary>
    public double RightShort { get; init; } = 1;

    /// <summary>Reward of a correct answer of L_max tokens or more. Default 0.5.</summary>
    public double RightLong { get; init; } = 0.5;

    /// <summary>Reward of the shortest wrong answer. Default −1.</summary>
    public double WrongShort { get; init; } = -1;

    /// <summary>Reward of a wrong answer of L_max tokens or more. Default −0.5.</summary>
    public double WrongLong { get; init; } = -0.5;

    internal CosineLengthOptions Validated()
    {
        Guard.AtLeast(MaximumLength, 1, nameof(MaximumLength));
        foreach (
            var (value, name) in (ReadOnlySpan<(double, string)>)
                [
                    (RightShort, nameof(RightShort)),
                    (RightLong, nameof(RightLong)),
                    (WrongShort, nameof(WrongShort)),
                    (WrongLong, nameof(WrongLong)),
                ]
        )
        {
            if (!double.IsFinite(value))
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number");
        }

        return this;
    }

    internal double Value(bool isRight, int length)
    {
        var (atZero, atEnd) = isRight ? (RightShort, RightLong) : (WrongShort, WrongLong);
        return atEnd + 0.5 * (atZero - atEnd) * (1 + Math.Cos(Math.PI * Math.Min(length, MaximumLength) / MaximumLength));
    }
}
