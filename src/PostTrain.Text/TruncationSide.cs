namespace PostTrain.Text;

/// <summary>The end of a sequence that truncation takes tokens from.</summary>
public enum TruncationSide
{
    /// <summary>The first tokens go.</summary>
    Left,

    /// <summary>The last tokens go.</summary>
    Right,
}
