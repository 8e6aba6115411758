namespace PostTrain.Models;

/// <summary>The attention of one layer. The defaults are Llama's.</summary>
public sealed record AttentionSpec
{
    /// <summary>The rotary position embedding; null, in all layers, for learned positions. Default θ = 10000.</summary>
    public RotarySpec? Rotary { get; init; } = new();

    /// <summary>Sliding window: a position sees itself and the w − 1 before it. Null, the default: all previous positions.</summary>
    public int? Window { get; init; }

    /// <summary>Factor of the scores. Null, the default: 1 / √(head size).</summary>
    public double? Scale { get; init; }

    /// <summary>Soft cap c: scores s become c tanh(s / c), before the mask. Null, the default: no cap.</summary>
    public double? SoftCap { get; init; }

    /// <summary>True if each head's query and key are normalised (RMS norm, one weight for all heads) before the rotation. Default
    /// false.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Validates every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message names it and the range.</exception>
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
