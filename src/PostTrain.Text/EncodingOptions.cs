namespace PostTrain.Text;

/// <summary>How texts are encoded for a batch.</summary>
public sealed record EncodingOptions
{
    /// <summary>Adds the special tokens of the tokenizer's template, such as a beginning token. Default true.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>The most tokens of an encoding, special ones included; what is over is cut off the texts, of a pair off the longer one
    /// first. Default null: no limit.</summary>
    public int? MaximumLength { get; init; }

    /// <summary>The side that is cut off. Default null: what the tokenizer's configuration says, else the right.</summary>
    public TruncationSide? TruncationSide { get; init; }

    /// <summary>The side of the padding. Default null: what the tokenizer's configuration says, else the right.</summary>
    public PaddingSide? PaddingSide { get; init; }

    /// <summary>Pads to <see cref="MaximumLength"/>, which must be given, rather than to the longest text. Default false.</summary>
    public bool PadToMaximumLength { get; init; }

    /// <summary>The length of a batch is rounded up to a multiple of this. Default 1.</summary>
    public int PadToMultipleOf { get; init; } = 1;
}
