namespace PostTrain.Models;

/// <summary>The position of the norms in a layer.</summary>
public enum NormPlacement
{
    /// <summary>x ← x + f(norm(x)).</summary>
    Before,

    /// <summary>x ← x + norm(f(norm(x))), as in Gemma 2.</summary>
    BeforeAndAfter,
}
