namespace PostTrain.Rewards.Answers;

/// <summary>Items in brackets: a tuple or open interval ( ), a closed or half-open interval, a set { }, a matrix of rows, a
/// ratio.</summary>
/// <param name="Opening">The opening bracket; { for a set, : for a ratio.</param>
/// <param name="Closing">The closing bracket; } for a set.</param>
/// <param name="Items">The items.</param>
internal sealed record AnswerList(char Opening, char Closing, AnswerItem[] Items) : AnswerItem
{
    internal bool IsSet => Opening == '{';

    /// <summary>True for a matrix, which may have an additional pair of brackets.</summary>
    internal bool IsMatrix { get; init; }
}
