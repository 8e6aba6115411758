using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>A wrapper of one of TorchSharp's optimisers.</summary>
internal sealed class TorchOptimizer : IParameterOptimizer
{
    private readonly OptimizerHelper optimizer;
    private readonly double[] factors;

    private TorchOptimizer(OptimizerHelper optimizer, IReadOnlyList<ParameterGroup> groups, Func<OptimizerState, IParameterState> state)
    {
        this.optimizer = optimizer;
        factors = [.. groups.Select(group => group.Factor)];
        States = [.. optimizer.state_dict().State.Select(state)];
    }

    public IReadOnlyList<IParameterState> States { get; }

    internal static TorchOptimizer AdamW(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
        new(
            optim.AdamW(
                groups.Select(group => new AdamW.ParamGroup(
                    group.Parameters,
                    options.LearningRate,
                    options.Beta1,
                    options.Beta2,
                    options.AdamEpsilon,
                    group.WeightDecay
                )),
                options.LearningRate,
                options.Beta1,
                options.Beta2,
                options.AdamEpsilon
            ),
            groups,
            state => new AdamWState((AdamW.State)state)
        );

    internal static TorchOptimizer Adam(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
        new(
            optim.Adam(
                groups.Select(group => new Adam.ParamGroup(
                    group.Parameters,
                    options.LearningRate,
                    options.Beta1,
                    options.Beta2,
                    options.AdamEpsilon,
                    group.WeightDecay
                )),
                options.LearningRate,
                options.Beta1,
                options.Beta2,
                options.AdamEpsilon
            ),
            groups,
            state => new AdamState((Adam.State)state)
        );

    internal static TorchOptimizer Sgd(IReadOnlyList<ParameterGroup> groups, TrainingOptions options, double momentum, bool nesterov)
    {
        var optimizer = optim.SGD(
            groups.Select(group => new SGD.ParamGroup(group.Parameters, options.LearningRate, momentum, 0, group.WeightDecay, nesterov)),
            options.LearningRate,
            momentum,
            0,
            0,
            nesterov
        );
        // Without dampening, a momentum of zeros gives the same first step as none.
        if (momentum > 0)
        {
            using var mode = no_grad();
            foreach (
                var (parameter, state) in groups.SelectMany(group => group.Parameters).Zip(optimizer.state_dict().State.Cast<SGD.State>())
            )
                state.momentum_buffer = parameter.zeros_like().DetachFromDisposeScope();
        }
        return new TorchOptimizer(optimizer, groups, state => new SgdState((SGD.State)state));
    }

    public void ZeroGradients() => optimizer.zero_grad();

    public void Update(double rate)
    {
        foreach (var (group, factor) in optimizer.ParamGroups.Zip(factors))
            group.LearningRate = rate * factor;
        optimizer.step();
    }

    public void Dispose() => optimizer.Dispose();

    private sealed class AdamWState(AdamW.State state) : IParameterState
    {
        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [("exp_avg", state.exp_avg), ("exp_avg_sq", state.exp_avg_sq)];

        public long Updates
        {
            get => state.step;
            set => state.step = value;
        }
    }

    private sealed class AdamState(Adam.State state) : IParameterState
    {
        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [("exp_avg", state.exp_avg), ("exp_avg_sq", state.exp_avg_sq)];

        public long Updates
        {
            get => state.step;
            set => state.step = value;
        }
    }

    private sealed class SgdState(SGD.State state) : IParameterState
    {
        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors =>
            state.momentum_buffer is { } momentum ? [("momentum_buffer", momentum)] : [];

        public long Updates { get; set; }
    }
}
