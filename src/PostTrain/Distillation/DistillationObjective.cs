using PostTrain.Numerics;

namespace PostTrain.Distillation;

/// <summary>How student and teacher are compared: divergence × temperature × support.</summary>
public sealed record DistillationObjective
{
    /// <summary>The divergence of each position.</summary>
    /// <value><see cref="Divergence.ForwardKl"/> by default.</value>
    public Divergence Divergence { get; init; } = Divergence.ForwardKl;

    /// <summary>τ: both models' logits are divided by it before the softmax.</summary>
    /// <value>Above 0; 1 by default.</value>
    public double Temperature { get; init; } = 1;

    /// <summary>Multiplies the loss by τ², so that its gradient keeps its size when τ changes (Hinton et al. 2015, section 2).</summary>
    /// <value>True by default; TRL's GKD leaves it out.</value>
    public bool ScaleByTemperatureSquared { get; init; } = true;

    /// <summary>Which outcomes are compared.</summary>
    /// <value>The full vocabulary by default.</value>
    public DistillationSupport Support { get; init; } = DistillationSupport.Full;

    internal void Check()
    {
        Guard.Temperature(Temperature, nameof(Temperature));
        ArgumentNullException.ThrowIfNull(Divergence, nameof(Divergence));
        ArgumentNullException.ThrowIfNull(Support, nameof(Support));
    }
}
