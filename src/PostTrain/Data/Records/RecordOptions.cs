using PostTrain.Numerics;

namespace PostTrain.Data.Records;

/// <summary>Options of reading a data set.</summary>
public sealed record RecordOptions
{
    /// <summary>The part of a conversation that is learnt.</summary>
    /// <value>The default is <see cref="LearntPart.Assistant"/>: every message of the assistant.</value>
    public LearntPart Learnt { get; init; } = LearntPart.Assistant;

    /// <summary>Split of a directory that is read, such as <c>test</c>.</summary>
    /// <value>The default is null: <c>train</c>, or all files of a directory without splits.</value>
    public string? Split { get; init; }

    /// <summary>True to leave out records that lack fields, or that the template refuses, and to list them in
    /// <see cref="RecordSet{T}.Skipped"/>. A malformed file is refused in any case.</summary>
    /// <value>The default is false: such a record is an error.</value>
    public bool SkipsInvalid { get; init; }

    /// <summary>Most records that are read, at least 1.</summary>
    /// <value>The default is null: all.</value>
    public int? MaximumRecords { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the option, the value and the range.</exception>
    public void Validate()
    {
        if (!Enum.IsDefined(Learnt))
            throw new ArgumentOutOfRangeException(nameof(Learnt), Learnt, "Learnt must be Assistant, LastTurn or Everything");
        if (MaximumRecords is { } most)
            Guard.AtLeast(most, 1, nameof(MaximumRecords));
    }
}
