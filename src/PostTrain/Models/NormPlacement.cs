namespace PostTrain.Models;

/// <summary>Where in a layer the norms stand.</summary>
public enum NormPlacement
{
    /// <summary>x ← x + f(norm(x)).</summary>
    Before,

    /// <summary>x ← x + norm(f(norm(x))), as in Gemma 2.</summary>
    BeforeAndAfter,
}
