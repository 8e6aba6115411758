using PostTrain.Numerics;
using PostTrain.Training.Optimizers;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The optimiser. Learning rate, its schedule and factors, weight decay (matrices only) and clipping are in the <see
/// cref="TrainingOptions"/> for all optimisers.</summary>
public abstract record OptimizerChoice
{
    private OptimizerChoice() { }

    /// <summary>Adam with decoupled weight decay, and the betas and ε of the options. Loshchilov and Hutter, arXiv:1711.05101.</summary>
    public static OptimizerChoice AdamW { get; } = new DecoupledAdam();

    /// <summary>Adam: weight decay is added to the gradient. Kingma and Ba, arXiv:1412.6980.</summary>
    public static OptimizerChoice Adam { get; } = new PlainAdam();

    /// <summary>Gradient descent, b ← μb + g, θ ← θ − ηb; weight decay is added to the gradient.</summary>
    /// <param name="momentum">μ, at least 0; 0 keeps no state.</param>
    /// <param name="nesterov">Steps along g + μb instead; needs a momentum.</param>
    /// <exception cref="ArgumentOutOfRangeException">The momentum is negative or not finite, or 0 with
    /// <paramref name="nesterov"/>.</exception>
    public static OptimizerChoice Sgd(double momentum = 0, bool nesterov = false)
    {
        Guard.NotNegative(momentum, nameof(momentum));
        if (nesterov)
            Guard.Positive(momentum, nameof(momentum));
        return new GradientDescent(momentum, nesterov);
    }

    /// <summary>Adafactor, whose state for a matrix is a row and a column. Shazeer and Stern 2018, arXiv:1804.04235.</summary>
    /// <param name="options">Null: the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static OptimizerChoice Adafactor(AdafactorOptions? options = null)
    {
        options ??= new();
        options.Validate();
        return new Factored(options);
    }

    /// <summary>Muon for the matrices of hidden layers, AdamW for all other parameters. Jordan et al. 2024.</summary>
    /// <param name="options">Null: the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static OptimizerChoice Muon(MuonOptions? options = null)
    {
        options ??= new();
        options.Validate();
        return new Orthogonalized(options);
    }

    /// <summary>An optimiser of one's own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Makes the optimiser of groups of parameters. Its states are part of the trainer's checkpoints.</param>
    public static OptimizerChoice Of(string name, Func<IReadOnlyList<ParameterGroup>, TrainingOptions, IParameterOptimizer> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new Own(name, function);
    }

    /// <summary>Returns true if a parameter belongs to a group of Muon.</summary>
    internal virtual bool IsOrthogonal(string name, Tensor parameter) => false;

    internal abstract IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options);

    private sealed record Own(string Name, Func<IReadOnlyList<ParameterGroup>, TrainingOptions, IParameterOptimizer> Function)
        : OptimizerChoice
    {
        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options)
        {
            var optimizer =
                Function(groups, options)
                ?? throw new InvalidOperationException($"the optimizer '{Name}' is null, expected one for {groups.Count} groups");
            int parameters = groups.Sum(group => group.Parameters.Count);
            return optimizer.States.Count == parameters
                ? optimizer
                : throw new InvalidOperationException(
                    $"the optimizer '{Name}' has {optimizer.States.Count} states, expected {parameters}, one a parameter in the "
                        + "groups' order"
                );
        }

        public override string ToString() => Name;
    }

    private sealed record DecoupledAdam : OptimizerChoice
    {
        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
            FusedOptimizer.Takes(groups) ? new FusedAdam(groups, options, decoupled: true) : TorchOptimizer.AdamW(groups, options);
    }

    private sealed record PlainAdam : OptimizerChoice
    {
        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
            FusedOptimizer.Takes(groups) ? new FusedAdam(groups, options, decoupled: false) : TorchOptimizer.Adam(groups, options);
    }

    private sealed record GradientDescent(double Momentum, bool Nesterov) : OptimizerChoice
    {
        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
            FusedOptimizer.Takes(groups)
                ? new FusedSgd(groups, Momentum, Nesterov)
                : TorchOptimizer.Sgd(groups, options, Momentum, Nesterov);
    }

    private sealed record Factored(AdafactorOptions Options) : OptimizerChoice
    {
        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options) =>
            new Adafactor(groups, Options);
    }

    private sealed record Orthogonalized(MuonOptions Options) : OptimizerChoice
    {
        internal override bool IsOrthogonal(string name, Tensor parameter) => parameter.dim() == 2 && Options.Takes(name);

        internal override IParameterOptimizer Create(IReadOnlyList<ParameterGroup> groups, TrainingOptions options)
        {
            ParameterGroup[] own = [.. groups.Where(group => group.Orthogonal)],
                rest = [.. groups.Where(group => !group.Orthogonal)];
            if (rest.Length == 0)
                return new Muon(own, Options);
            var adam = AdamW.Create(rest, options);
            return own.Length == 0 ? adam : new OptimizerPair(new Muon(own, Options), adam, groups);
        }
    }
}
