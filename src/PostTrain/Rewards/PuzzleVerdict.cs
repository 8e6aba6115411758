namespace PostTrain.Rewards;

/// <summary>What <see cref="NumberPuzzle.Judge"/> says of an expression.</summary>
public enum PuzzleVerdict
{
    /// <summary>It is no expression of whole numbers, + − * / and parentheses.</summary>
    Malformed,

    /// <summary>It uses a number that is not given, one more often than given, or (where all are to be used) not all.</summary>
    WrongNumbers,

    /// <summary>It is an expression of the numbers with another value, or divides by 0.</summary>
    WrongValue,

    /// <summary>It has the wanted value.</summary>
    Solved,
}
