namespace PostTrain.Operators;

/// <summary>Constants of an AdamW step: θ ← keep·θ − rate·m/(√v/root + ε), m ← m + mixing·(g − m), v ← decay·v +
/// adding·g².</summary>
internal readonly record struct AdamConstants(
    double Keep,
    double Rate,
    double Mixing,
    double Decay,
    double Adding,
    double Root,
    double Epsilon
)
{
    /// <summary>λ of Adam's own weight decay, by which g becomes g + λθ; 0 in AdamW.</summary>
    internal double Coupling { get; init; }

    /// <summary>Those of a step, counted from 1.</summary>
    internal static AdamConstants Of(double learningRate, double beta1, double beta2, double epsilon, double weightDecay, long step) =>
        new(
            1 - learningRate * weightDecay,
            learningRate / (1 - Math.Pow(beta1, step)),
            1 - beta1,
            beta2,
            1 - beta2,
            Math.Sqrt(1 - Math.Pow(beta2, step)),
            epsilon
        );
}
