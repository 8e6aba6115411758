using PostTrain.Operators;

namespace PostTrain.Training.Optimizers;

/// <summary>Gradient descent in one pass: g ← g + λθ, b ← μb + g, θ ← θ − η·b, or θ − η(g + μb).</summary>
/// <param name="groups">The trained parameters.</param>
/// <param name="momentum">μ; 0 keeps no state.</param>
/// <param name="nesterov">Steps along g + μb.</param>
internal sealed class FusedSgd(IReadOnlyList<ParameterGroup> groups, double momentum, bool nesterov)
    : FusedOptimizer(groups, momentum > 0 ? ["momentum_buffer"] : [])
{
    private protected override void Update<T>(
        MemoryList parameters,
        MemoryList gradients,
        MemoryList[] states,
        (ParameterGroup Group, long Step)[] steps,
        double rate
    ) =>
        DescentPass.Run<T>(
            parameters,
            gradients,
            states.Length == 0 ? null : states[0],
            Array.ConvertAll(steps, step => new DescentConstants(rate * step.Group.Factor, step.Group.WeightDecay, momentum, nesterov))
        );
}
