namespace PostTrain.Text;

/// <summary>The end of a sequence that padding is added to.</summary>
public enum PaddingSide
{
    /// <summary>Before the first token, so that all rows end together: for generation.</summary>
    Left,

    /// <summary>Behind the last token: for training.</summary>
    Right,
}
