namespace PostTrain.Models;

/// <summary>What the attention of one layer does with queries and keys. The defaults are Llama's.</summary>
public sealed record AttentionSpec
{
    /// <summary>The rotary position embedding; null, in every layer, where positions are learned. Default θ = 10000.</summary>
    public RotarySpec? Rotary { get; init; } = new();

    /// <summary>Sliding window: a position sees itself and the w − 1 before it. Null, the default: all before it.</summary>
    public int? Window { get; init; }

    /// <summary>What scores are multiplied by. Null, the default: 1 / √(head size).</summary>
    public double? Scale { get; init; }

    /// <summary>Scores s become c tanh(s / c), before the mask. Null, the default: they stay.</summary>
    public double? SoftCap { get; init; }

    /// <summary>Whether each head's query and key are normalised (RMS norm, one weight for all heads) before they are turned. Default
    /// false.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the value and the range.</exception>
    internal void Validate(int headSize)
    {
        Rotary?.Validate(headSize);
        if (Window is { } window)
            Numerics.Guard.AtLeast(window, 1, nameof(Window));
        if (Scale is { } scale)
            Numerics.Guard.Positive(scale, nameof(Scale));
        if (SoftCap is { } cap)
            Numerics.Guard.Positive(cap, nameof(SoftCap));
    }
}
