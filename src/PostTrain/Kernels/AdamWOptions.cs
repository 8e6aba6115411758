using PostTrain.Numerics;

namespace PostTrain.Kernels;

/// <summary>Constants of an AdamW step.</summary>
public sealed record AdamWOptions
{
    /// <summary>Learning rate, at least 0.</summary>
    /// <value>0.001 by default.</value>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decay of the mean of the gradients, at least 0 and below 1.</summary>
    /// <value>0.9 by default.</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of the squared gradients, at least 0 and below 1.</summary>
    /// <value>0.999 by default.</value>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the mean square, at least 0.</summary>
    /// <value>1e-8 by default.</value>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay, at least 0.</summary>
    /// <value>0.01 by default.</value>
    public double WeightDecay { get; init; } = 0.01;

    internal void Validate()
    {
        Guard.NotNegative(LearningRate, nameof(LearningRate));
        Decay(Beta1, nameof(Beta1));
        Decay(Beta2, nameof(Beta2));
        Guard.NotNegative(Epsilon, nameof(Epsilon));
        Guard.NotNegative(WeightDecay, nameof(WeightDecay));
    }

    private static void Decay(double value, string name)
    {
        if (!(value is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and below 1");
    }
}
