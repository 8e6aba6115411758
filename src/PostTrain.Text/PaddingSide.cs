namespace PostTrain.Text;

/// <summary>The side of a sequence to which padding is added.</summary>
public enum PaddingSide
{
    /// <summary>Before the first token, so that all rows end at the same position: for generation.</summary>
    Left,

    /// <summary>After the last token: for training.</summary>
    Right,
}
