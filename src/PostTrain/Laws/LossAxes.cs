namespace PostTrain.Laws;

/// <summary>What the leading dimensions of a loss's input stand for.</summary>
public enum LossAxes
{
    /// <summary>[B,T,...]: something of each position.</summary>
    Token,

    /// <summary>[B,...]: something of each sequence.</summary>
    Row,

    /// <summary>Anything else, such as a weight that all positions share.</summary>
    Shared,
}
