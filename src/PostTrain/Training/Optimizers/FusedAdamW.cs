using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>AdamW over dense parameters in CPU memory: one pass over all of them, in the order of operations of PyTorch's.</summary>
/// <remarks>Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2. A parameter without a gradient stays as it is.</remarks>
internal sealed class FusedAdamW : IParameterOptimizer
{
    private readonly Entry[] entries;
    private readonly TrainingOptions options;

    internal FusedAdamW(IReadOnlyList<ParameterGroup> groups, TrainingOptions options)
    {
        using var mode = no_grad();
        this.options = options;
        entries = [.. groups.SelectMany(group => group.Parameters.Select(parameter => new Entry(parameter, group)))];
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
        Update(rate, ScalarType.Float32);
        Update(rate, ScalarType.Float64);
    }

    public void Dispose()
    {
        foreach (var entry in entries)
            entry.Dispose();
    }

    private void Update(double rate, ScalarType type)
    {
        var (chosen, gradients) = (new List<Entry>(entries.Length), new List<Tensor>(entries.Length));
        foreach (var entry in entries)
        {
            if (entry.Parameter.dtype != type || entry.Parameter.grad is not { } gradient)
                continue;
            chosen.Add(entry);
            gradients.Add(gradient);
        }
        if (chosen.Count == 0)
            return;
        var constants = chosen.ConvertAll(entry => entry.Next(rate, options)).ToArray();
        int[] all = [.. Enumerable.Range(0, chosen.Count)];
        using var theta = new MemoryList(chosen.ConvertAll(entry => (Tensor)entry.Parameter), all, type, "parameters");
        using var given = new MemoryList(gradients, all, type, null);
        using var mean = new MemoryList(chosen.ConvertAll(entry => entry.Mean), all, type, "means");
        using var square = new MemoryList(chosen.ConvertAll(entry => entry.Square), all, type, "squares");
        if (type == ScalarType.Float32)
            AdamPass.Run<float>(theta, given, mean, square, constants);
        else
            AdamPass.Run<double>(theta, given, mean, square, constants);
    }

    private sealed class Entry(Parameter parameter, ParameterGroup group) : IParameterState, IDisposable
    {
        internal Parameter Parameter => parameter;

        internal Tensor Mean { get; } = parameter.zeros_like().DetachFromDisposeScope();

        internal Tensor Square { get; } = parameter.zeros_like().DetachFromDisposeScope();

        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [("exp_avg", Mean), ("exp_avg_sq", Square)];

        public long Updates { get; set; }

        internal AdamConstants Next(double rate, TrainingOptions options)
        {
            Updates++;
            return AdamConstants.Of(rate * group.Factor, options.Beta1, options.Beta2, options.AdamEpsilon, group.WeightDecay, Updates);
        }

        public void Dispose()
        {
            Mean.Dispose();
            Square.Dispose();
        }
    }
}
