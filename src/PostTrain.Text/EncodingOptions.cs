namespace PostTrain.Text;

/// <summary>Options for encoding texts in batches.</summary>
public sealed record EncodingOptions
{
    /// <summary>True to add the special tokens of the tokenizer's template, such as a beginning token. Default true.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Maximum number of tokens of an encoding, special ones included. Longer texts are truncated, the longer text of a pair
    /// first. Default null: no limit.</summary>
    public int? MaximumLength { get; init; }

    /// <summary>The side that is truncated. Default null: as in the tokenizer's configuration, otherwise right.</summary>
    public TruncationSide? TruncationSide { get; init; }

    /// <summary>The side of the padding. Default null: as in the tokenizer's configuration, otherwise right.</summary>
    public PaddingSide? PaddingSide { get; init; }

    /// <summary>True to pad to <see cref="MaximumLength"/>, which is then required, instead of the longest text. Default false.</summary>
    public bool PadToMaximumLength { get; init; }

    /// <summary>The length of a batch is rounded up to a multiple of this number. Default 1.</summary>
    public int PadToMultipleOf { get; init; } = 1;
}
