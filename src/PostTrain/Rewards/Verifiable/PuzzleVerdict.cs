namespace PostTrain.Rewards;

/// <summary>The verdict of <see cref="NumberPuzzle.Judge"/> on an expression.</summary>
public enum PuzzleVerdict
{
    /// <summary>Not an expression of whole numbers, + − * / and parentheses.</summary>
    Malformed,

    /// <summary>Uses a number that is not given, or one too often, or (if all must be used) not all.</summary>
    WrongNumbers,

    /// <summary>An expression of the numbers with another value, or a division by 0.</summary>
    WrongValue,

    /// <summary>An expression with the target value.</summary>
    Solved,
}
