namespace PostTrain.Text;

/// <summary>The side of a sequence from which truncation removes tokens.</summary>
public enum TruncationSide
{
    /// <summary>The first tokens are removed.</summary>
    Left,

    /// <summary>The last tokens are removed.</summary>
    Right,
}
