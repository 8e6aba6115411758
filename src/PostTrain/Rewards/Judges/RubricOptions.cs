using Microsoft.Extensions.AI;

namespace PostTrain.Rewards.Judges;

/// <summary>How <see cref="Judge.Rubric"/> asks for marks.</summary>
public sealed record RubricOptions : JudgeOptions
{
    /// <summary>The lowest mark. Default 1.</summary>
    public int Lowest { get; init; } = 1;

    /// <summary>The highest mark, above the lowest. Default 10.</summary>
    public int Highest { get; init; } = 10;

    /// <summary>The probabilities of the marks in an answer, where the client gives log-probabilities: the reward is then their
    /// expectation. Null, or a null result, reads the mark from the text.</summary>
    public Func<ChatResponse, IReadOnlyDictionary<int, double>?>? Probabilities { get; init; }
}
