using PostTrain.Data;

namespace PostTrain.Rewards;

/// <summary>A completion of a problem by a policy.</summary>
/// <param name="Problem">The problem, with its prompt.</param>
/// <param name="Text">The decoded completion, without the prompt and without the stop token.</param>
/// <param name="Tokens">The token ids of the completion.</param>
/// <param name="Finished">True if a stop token ended it, false if it reached the length limit.</param>
public sealed record Completion(Problem Problem, string Text, int[] Tokens, bool Finished)
{
    /// <summary>The decoded turns of the policy, where an environment spoke between them; <see cref="Text"/> and <see cref="Tokens"/> hold
    /// its observations too.</summary>
    /// <value>The default is empty: the policy wrote all of the text.</value>
    public IReadOnlyList<string> Turns { get; init; } = [];

    /// <summary>Last text of the policy: the last of <see cref="Turns"/>, or the whole text.</summary>
    public string LastTurn => Turns.Count > 0 ? Turns[^1] : Text;
}
