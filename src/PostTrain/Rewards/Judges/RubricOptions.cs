using Microsoft.Extensions.AI;

namespace PostTrain.Rewards.Judges;

/// <summary>Options of <see cref="Judge.Rubric"/>.</summary>
public sealed record RubricOptions : JudgeOptions
{
    /// <summary>The lowest mark. Default 1.</summary>
    public int Lowest { get; init; } = 1;

    /// <summary>The highest mark, above the lowest. Default 10.</summary>
    public int Highest { get; init; } = 10;

    /// <summary>Reads the probabilities of the marks from a reply, if the client gives log-probabilities; the reward is then their
    /// expectation. If this is null or returns null, the mark is read from the text.</summary>
    public Func<ChatResponse, IReadOnlyDictionary<int, double>?>? Probabilities { get; init; }
}
