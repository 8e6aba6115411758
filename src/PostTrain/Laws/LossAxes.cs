namespace PostTrain.Laws;

/// <summary>The meaning of the leading dimensions of a loss's input.</summary>
public enum LossAxes
{
    /// <summary>[B,T,...]: one entry per position.</summary>
    Token,

    /// <summary>[B,...]: one entry per sequence.</summary>
    Row,

    /// <summary>Anything else, such as a weight that all positions share.</summary>
    Shared,
}
