using System.Numerics;
using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>Base class of optimisers over dense parameters in CPU memory, in one pass over all of them.</summary>
/// <remarks>A parameter without a gradient stays as it is.</remarks>
internal abstract class FusedOptimizer : IParameterOptimizer
{
    private readonly Entry[] entries;

    /// <param name="groups">The trained parameters.</param>
    /// <param name="states">Names of a parameter's state tensors, which are of its shape and start as zeros.</param>
    private protected FusedOptimizer(IReadOnlyList<ParameterGroup> groups, params string[] states)
    {
        using var mode = no_grad();
        entries = [.. groups.SelectMany(group => group.Parameters.Select(parameter => new Entry(parameter, group, states)))];
        States = entries;
    }

    public IReadOnlyList<IParameterState> States { get; }

    /// <summary>Returns true if all parameters are float32 or float64 in CPU memory, in row-major order.</summary>
    internal static bool Takes(IReadOnlyList<ParameterGroup> groups) =>
        groups.SelectMany(group => group.Parameters).All(parameter => Fused.Takes(parameter) && parameter.is_contiguous());

    /// <summary>Takes the gradients away: the next backward pass leaves its own in their place, without adding to zeros.</summary>
    public void ZeroGradients()
    {
        foreach (var entry in entries)
            entry.Parameter.grad = null;
    }

    public void Update(double rate)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        Update<float>(rate, ScalarType.Float32);
        Update<double>(rate, ScalarType.Float64);
    }

    public void Dispose()
    {
        foreach (var entry in entries)
            entry.Dispose();
    }

    /// <summary>Changes parameters and states.</summary>
    /// <param name="parameters">Those with a gradient.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="states">Their states, one list a name.</param>
    /// <param name="steps">Each parameter's group and number of the step, from 1 on.</param>
    /// <param name="rate">The learning rate, before a group's factor.</param>
    private protected abstract void Update<T>(
        MemoryList parameters,
        MemoryList gradients,
        MemoryList[] states,
        (ParameterGroup Group, long Step)[] steps,
        double rate
    )
        where T : unmanaged, IFloatingPointIeee754<T>;

    private void Update<T>(double rate, ScalarType type)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var (chosen, gradients) = (new List<Entry>(entries.Length), new List<Tensor>(entries.Length));
        foreach (var entry in entries)
        {
            if (entry.Parameter.dtype != type || entry.Parameter.grad is not { } gradient)
                continue;
            entry.Updates++;
            chosen.Add(entry);
            gradients.Add(gradient);
        }
        if (chosen.Count == 0)
            return;
        int[] all = [.. Enumerable.Range(0, chosen.Count)];
        using var theta = new MemoryList(chosen.ConvertAll(entry => (Tensor)entry.Parameter), all, type, "parameters");
        using var given = new MemoryList(gradients, all, type, null);
        var states = new MemoryList[chosen[0].Tensors.Count];
        try
        {
            for (int i = 0; i < states.Length; i++)
                states[i] = new MemoryList(chosen.ConvertAll(entry => entry.Tensors[i].Tensor), all, type, "states");
            Update<T>(theta, given, states, [.. chosen.Select(entry => (entry.Group, entry.Updates))], rate);
        }
        finally
        {
            foreach (var state in states)
                state?.Dispose();
        }
    }

    private sealed class Entry(Parameter parameter, ParameterGroup group, string[] states) : IParameterState, IDisposable
    {
        internal Parameter Parameter => parameter;

        internal ParameterGroup Group => group;

        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors { get; } =
        [.. states.Select(name => (name, parameter.zeros_like().DetachFromDisposeScope()))];

        public long Updates { get; set; }

        public void Dispose()
        {
            foreach (var (_, tensor) in Tensors)
                tensor.Dispose();
        }
    }
}
