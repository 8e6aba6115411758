namespace PostTrain.Rewards.Answers;

/// <summary>Items in brackets: a tuple or an open interval ( ), closed and half-open intervals, a set { }, a matrix of rows, a
/// ratio.</summary>
/// <param name="Opening">The opening bracket; { of a set, : of a ratio.</param>
/// <param name="Closing">The closing bracket; } of a set.</param>
/// <param name="Items">What stands in it.</param>
internal sealed record AnswerList(char Opening, char Closing, AnswerItem[] Items) : AnswerItem
{
    internal bool IsSet => Opening == '{';

    /// <summary>Whether it is a matrix, which may stand in brackets once more.</summary>
    internal bool IsMatrix { get; init; }
}
