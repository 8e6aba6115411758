using PostTrain.Operators;

namespace PostTrain.Training.Optimizers;

/// <summary>Adam in one pass, in the order of operations of PyTorch's but for a product with 1/√(1−β₂ᵗ) in place of a
/// division.</summary>
/// <remarks>Decoupled: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2. Otherwise Kingma and Ba, arXiv:1412.6980, with the weight
/// decay in the gradient.</remarks>
internal sealed class FusedAdam(IReadOnlyList<ParameterGroup> groups, TrainingOptions options, bool decoupled)
    : FusedOptimizer(groups, "exp_avg", "exp_avg_sq")
{
    private protected override void Update<T>(
        MemoryList parameters,
        MemoryList gradients,
        MemoryList[] states,
        (ParameterGroup Group, long Step)[] steps,
        double rate
    ) => AdamPass.Run<T>(parameters, gradients, states[0], states[1], Array.ConvertAll(steps, step => Constants(step, rate)));

    private AdamConstants Constants((ParameterGroup Group, long Step) step, double rate)
    {
        double decay = step.Group.WeightDecay;
        return AdamConstants.Of(
            rate * step.Group.Factor,
            options.Beta1,
            options.Beta2,
            options.AdamEpsilon,
            decoupled ? decay : 0,
            step.Step
        ) with
        {
            Coupling = decoupled ? 0 : decay,
        };
    }
}
