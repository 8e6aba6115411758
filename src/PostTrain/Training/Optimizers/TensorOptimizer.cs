using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>Base class of the optimisers that TorchSharp lacks: updates one parameter after the other, without gradients, with its own
/// state.</summary>
internal abstract class TensorOptimizer : IParameterOptimizer
{
    private readonly (Parameter Parameter, ParameterGroup Group, State State)[] entries;

    /// <param name="groups">The trained parameters.</param>
    /// <param name="layout">Names and shapes of a parameter's state tensors, which start as zeros.</param>
    /// <param name="precision">Their type, by the parameter's.</param>
    private protected TensorOptimizer(
        IReadOnlyList<ParameterGroup> groups,
        Func<Tensor, IEnumerable<(string Name, long[] Shape)>> layout,
        Func<ScalarType, ScalarType> precision
    )
    {
        using var mode = no_grad();
        var found = new List<(Parameter, ParameterGroup, State)>();
        foreach (var group in groups)
        {
            foreach (var parameter in group.Parameters)
                found.Add(
                    (
                        parameter,
                        group,
                        new State([
                            .. layout(parameter)
                                .Select(item =>
                                    (
                                        item.Name,
                                        zeros(item.Shape, dtype: precision(parameter.dtype), device: parameter.device)
                                            .DetachFromDisposeScope()
                                    )
                                ),
                        ])
                    )
                );
        }
        entries = [.. found];
        States = [.. entries.Select(entry => entry.State)];
    }

    public IReadOnlyList<IParameterState> States { get; }

    public void ZeroGradients()
    {
        using var mode = no_grad();
        foreach (var entry in entries)
        {
            using var scope = NewDisposeScope();
            entry.Parameter.grad?.zero_();
        }
    }

    public void Update(double rate)
    {
        using var mode = no_grad();
        foreach (var (parameter, group, state) in entries)
        {
            using var scope = NewDisposeScope();
            if (parameter.grad is not { } gradient)
                continue;
            state.Updates++;
            Update(parameter, gradient, state, rate * group.Factor, group.WeightDecay);
        }
    }

    public void Dispose()
    {
        foreach (var entry in entries)
            entry.State.Dispose();
    }

    /// <summary>Updates one parameter and its state; <see cref="State.Updates"/> counts from 1 here.</summary>
    private protected abstract void Update(Tensor parameter, Tensor gradient, State state, double rate, double weightDecay);

    /// <summary>Named tensors and a count.</summary>
    private protected sealed class State((string Name, Tensor Tensor)[] tensors) : IParameterState, IDisposable
    {
        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => tensors;

        public long Updates { get; set; }

        internal Tensor this[string name] => Array.Find(tensors, item => item.Name == name).Tensor;

        public void Dispose()
        {
            foreach (var (_, tensor) in tensors)
                tensor.Dispose();
        }
    }
}
