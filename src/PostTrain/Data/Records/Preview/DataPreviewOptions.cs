using PostTrain.Data.Batches;
using PostTrain.Numerics;

namespace PostTrain.Data.Records;

/// <summary>Options of a <see cref="DataPreview"/>.</summary>
public sealed record DataPreviewOptions
{
    /// <summary>Kind of the examples.</summary>
    /// <value>The default is null: the kind that fits the first record (<see cref="DataPreview.Detect"/>).</value>
    public RecordKind? Kind { get; init; }

    /// <summary>Options of the reading. Invalid records are always skipped and listed.</summary>
    public RecordOptions Records { get; init; } = new();

    /// <summary>The model's context in tokens, at least 2.</summary>
    /// <value>The default is null: no limit.</value>
    public int? ContextLength { get; init; }

    /// <summary>Truncation that training will use.</summary>
    /// <value>The default is null.</value>
    public SequenceTruncation? Truncation { get; init; }

    /// <summary>True to append the end of the sequence as trainers do.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <summary>Index of the example that is shown, at least 0.</summary>
    /// <value>The default is 0.</value>
    public int ShownExample { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the option, the value and the range.</exception>
    public void Validate()
    {
        Records.Validate();
        if (ContextLength is { } length)
            Guard.AtLeast(length, 2, nameof(ContextLength));
        Truncation?.Validate();
        Guard.AtLeast(ShownExample, 0, nameof(ShownExample));
    }
}
