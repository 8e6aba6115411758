using PostTrain.Numerics;

namespace PostTrain.RewardModeling;

/// <summary>Options of <see cref="StepEncoding"/>: the tokens of a stepwise example.</summary>
public sealed record StepEncodingOptions
{
    /// <summary>The end of each step; its last token carries the step's label.</summary>
    /// <value>A line feed by default; it must not be empty.</value>
    public string Separator { get; init; } = "\n";

    /// <summary>Keeps the label of the last step only, which makes an outcome reward model of it.</summary>
    /// <value>False by default.</value>
    public bool LastStepOnly { get; init; }

    /// <summary>An id that stands before the prompt, unless the prompt begins with it already.</summary>
    /// <value>None by default.</value>
    public int? BeginningOfSequenceId { get; init; }

    /// <summary>The most tokens of the steps together; what is beyond is cut off, with its labels.</summary>
    /// <value>No limit by default; at least 1.</value>
    public int? MaximumCompletionLength { get; init; }

    /// <summary>The most tokens of all; what is beyond is cut off, with its labels, after <see cref="MaximumCompletionLength"/> was
    /// applied.</summary>
    /// <value>No limit by default; at least 1.</value>
    public int? MaximumLength { get; init; }

    internal void Check()
    {
        if (string.IsNullOrEmpty(Separator))
            throw new ArgumentException($"{nameof(Separator)} is empty, expected what ends a step", nameof(Separator));
        if (MaximumCompletionLength is { } completion)
            Guard.AtLeast(completion, 1, nameof(MaximumCompletionLength));
        if (MaximumLength is { } total)
            Guard.AtLeast(total, 1, nameof(MaximumLength));
    }
}
