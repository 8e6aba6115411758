using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Data.Batches;

/// <summary>Truncation of sequences that are too long: of prompt and completion together, or of a prompt that is sampled from.</summary>
public sealed record SequenceTruncation
{
    /// <summary>Most tokens that are kept, at least 2.</summary>
    /// <value>The default is null: what the model's context takes.</value>
    public int? MaximumTokens { get; init; }

    /// <summary>Side that is cut off: the right (the end of the completion) or the left (the beginning of the prompt).</summary>
    /// <value>The default is <see cref="TruncationSide.Right"/>.</value>
    public TruncationSide Side { get; init; } = TruncationSide.Right;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the option, the value and the range.</exception>
    public void Validate()
    {
        if (MaximumTokens is { } most)
            Guard.AtLeast(most, 2, nameof(MaximumTokens));
    }

    /// <summary>Returns the most tokens that are kept of a sequence.</summary>
    /// <param name="fitting">Tokens that the model takes.</param>
    internal int Limit(int fitting) => Math.Min(MaximumTokens ?? fitting, fitting);
}
