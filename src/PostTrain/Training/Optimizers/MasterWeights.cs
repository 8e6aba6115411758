using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>float32 copies of trained bfloat16 parameters: the optimiser updates the copies, and the model computes with the rounded
/// copies.</summary>
/// <remarks>
/// Micikevicius et al. 2018, arXiv:1710.03740, section 3.1. bfloat16 has 8 bits: a step of less than 1/256 of a weight is rounded away, so
/// without the copies a model at the usual rates does not change. The gradients of a batch's parts are summed in float32 too. Parameters of
/// 32 bits and more need no copy.
/// </remarks>
internal sealed class MasterWeights : IDisposable
{
    private readonly (Parameter Weight, Parameter Master)[] copies;
    private readonly Dictionary<object, Parameter> masters;

    /// <exception cref="ArgumentException">A parameter is float16, whose gradients underflow without loss scaling.</exception>
    internal MasterWeights(IEnumerable<(string Name, Parameter Parameter)> trained)
    {
        using var mode = no_grad();
        var found = new List<(Parameter, Parameter)>();
        foreach (var (name, weight) in trained)
        {
            if (weight.dtype == ScalarType.Float16)
                throw new ArgumentException(
                    $"parameter {name} is Float16, expected BFloat16, Float32 or Float64: float16's gradients underflow",
                    nameof(trained)
                );
            if (!Precision.IsHalf(weight.dtype))
                continue;
            using var scope = NewDisposeScope();
            found.Add((weight, (Parameter)new Parameter(weight.detach().AtLeastSingle()).DetachFromDisposeScope()));
        }
        copies = [.. found];
        masters = new(
            found.Select(pair => KeyValuePair.Create<object, Parameter>(pair.Item1, pair.Item2)),
            ReferenceEqualityComparer.Instance
        );
    }

    /// <summary>Returns the parameter that the optimiser updates: the copy, or the parameter itself.</summary>
    internal Parameter Of(Parameter weight) => masters.GetValueOrDefault(weight, weight);

    /// <summary>Returns the optimiser's state of a parameter, including its copy if there is one.</summary>
    internal IParameterState WithMaster(Parameter weight, IParameterState state) =>
        masters.TryGetValue(weight, out var master) ? new MasterState(master, state) : state;

    /// <summary>Adds the gradients of a backward pass to those of the copies, and takes them away.</summary>
    internal void CollectGradients()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        List<Tensor> first = [],
            further = [],
            fresh = [],
            sums = [];
        foreach (var (weight, master) in copies)
        {
            if (weight.grad is not { } gradient)
                continue;
            // The next backward pass leaves its own gradient, without adding to zeros.
            weight.grad = null;
            if (master.grad is { } sum)
            {
                further.Add(gradient);
                sums.Add(sum);
            }
            else
            {
                first.Add(gradient);
                fresh.Add(master.grad = master.empty_like());
            }
        }
        Copy(first, fresh, RoundingPass.Widen, (from, to) => to.copy_(from));
        Copy(further, sums, RoundingPass.Add, (from, to) => to.add_(from));
    }

    /// <summary>Writes the rounded copies into the model.</summary>
    internal void Publish()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        Copy(
            [.. copies.Select(pair => pair.Master)],
            [.. copies.Select(pair => pair.Weight)],
            RoundingPass.Round,
            (from, to) => to.copy_(from)
        );
    }

    public void Dispose()
    {
        foreach (var (_, master) in copies)
            master.Dispose();
    }

    // In one pass where the targets are in CPU memory in row-major order.
    private static void Copy(List<Tensor> from, List<Tensor> to, Action<MemoryList, MemoryList> together, Func<Tensor, Tensor, Tensor> one)
    {
        if (from.Count == 0)
            return;
        if (!to.TrueForAll(tensor => Fused.TakesLayer(tensor) && tensor.is_contiguous()))
        {
            for (int i = 0; i < from.Count; i++)
                one(from[i], to[i]);
            return;
        }
        int[] all = [.. Enumerable.Range(0, from.Count)];
        using var source = new MemoryList(from, all, from[0].dtype, null);
        using var target = new MemoryList(to, all, to[0].dtype, nameof(to));
        together(source, target);
    }

    private sealed class MasterState(Parameter master, IParameterState state) : IParameterState
    {
        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [("master", master), .. state.Tensors];

        public long Updates
        {
            get => state.Updates;
            set => state.Updates = value;
        }
    }
}
