using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Conditions for operators with a closed-form derivative in place of several tensor operators, and what their autograd nodes
/// have in
/// common.</summary>
internal static class Fused
{
    [ThreadStatic]
    private static int ReferenceScopes;

    // What the thread's last node gave to libtorch, which has its own hold on it by the time of the next one.
    [ThreadStatic]
    private static List<Tensor>? Given;

    /// <summary>False while somebody wants the tensor operators (<see cref="Reference"/>).</summary>
    internal static bool IsOn => ReferenceScopes == 0;

    /// <summary>True if an operator can compute with this tensor: float32 or float64 in CPU memory, and nobody wants the tensor operators
    /// (<see cref="Reference"/>).</summary>
    internal static bool Takes(Tensor tensor) =>
        ReferenceScopes == 0 && TensorFacts.IsOnCpu(tensor) && TensorFacts.Type(tensor) is ScalarType.Float32 or ScalarType.Float64;

    /// <summary>Overload for several tensors of one type; null ones are skipped.</summary>
    internal static bool Takes(Tensor tensor, params ReadOnlySpan<Tensor?> others) => Takes(tensor) && AreAlike(tensor, others);

    /// <summary>True if an operator of a model's layers can compute with these: tensors that <see cref="Takes(Tensor)"/> accepts, or
    /// bfloat16 ones, whose numbers are widened and whose results are rounded.</summary>
    internal static bool TakesLayer(Tensor tensor, params ReadOnlySpan<Tensor?> others) =>
        (Takes(tensor) || IsOn && TensorFacts.IsOnCpu(tensor) && TensorFacts.Type(tensor) == ScalarType.BFloat16)
        && AreAlike(tensor, others);

    /// <summary>The type that an operator computes in: float32 for bfloat16, otherwise the type itself.</summary>
    internal static ScalarType ComputeType(ScalarType type) => type == ScalarType.BFloat16 ? ScalarType.Float32 : type;

    /// <summary>The tensor in the type that an operator computes in.</summary>
    internal static Tensor Widened(this Tensor tensor) => tensor.dtype == ScalarType.BFloat16 ? tensor.to_type(ScalarType.Float32) : tensor;

    /// <summary>True if a graph is recorded through one of these.</summary>
    internal static bool Records(params ReadOnlySpan<Tensor?> inputs)
    {
        if (!is_grad_enabled())
            return false;
        foreach (var input in inputs)
        {
            if (input is not null && input.requires_grad)
                return true;
        }
        return false;
    }

    /// <summary>Tensor operators instead, on this thread, until the result is disposed.</summary>
    internal static IDisposable Reference() => new Period();

    /// <summary>The gradients that a node returns: moves them out of the node's scope, and lets go of what the thread's last node
    /// returned.</summary>
    /// <remarks>Otherwise all gradients of a pass would live until the scope around it ends.</remarks>
    internal static List<Tensor> Gradients(Tensor received, params ReadOnlySpan<Tensor?> gradients)
    {
        Given ??= [];
        foreach (var old in Given)
            old.Dispose();
        Given.Clear();
        received.Dispose();
        var results = new List<Tensor>(gradients.Length);
        foreach (var gradient in gradients)
        {
            results.Add(gradient?.MoveToOuterDisposeScope()!);
            if (gradient is not null)
                Given.Add(gradient);
        }
        return results;
    }

    /// <summary>Moves what there is out of the scope.</summary>
    internal static List<Tensor> Outward(this List<Tensor> tensors)
    {
        foreach (var tensor in tensors)
            tensor?.MoveToOuterDisposeScope();
        return tensors;
    }

    /// <summary>The gradients as functions with a graph of their own, for second derivatives: those of the tensor operators.</summary>
    /// <param name="received">The gradient of the result.</param>
    /// <param name="inputs">As they were given, null where there is none.</param>
    /// <param name="reference">The result by tensor operators.</param>
    internal static List<Tensor> WithGraph(Tensor received, Tensor?[] inputs, Func<Tensor?[], Tensor> reference)
    {
        using var period = Reference();
        using var scope = NewDisposeScope();
        // Aliases: an input that depends on another one still has a partial derivative of its own.
        var own = Array.ConvertAll(inputs, input => input?.view_as(input));
        var needed = own.OfType<Tensor>().Where(input => input.requires_grad).ToList();
        var found = autograd.grad([reference(own)], needed, [received], retain_graph: true, create_graph: true, allow_unused: true);
        var results = new List<Tensor>();
        var next = 0;
        foreach (var input in own)
        {
            var gradient = input is { requires_grad: true } ? found[next++] : null;
            results.Add(gradient is { IsInvalid: false } ? gradient.MoveToOuterDisposeScope() : null!);
        }
        return results;
    }

    private static bool AreAlike(Tensor tensor, ReadOnlySpan<Tensor?> others)
    {
        var type = TensorFacts.Type(tensor);
        foreach (var other in others)
        {
            if (other is not null && (!TensorFacts.IsOnCpu(other) || TensorFacts.Type(other) != type))
                return false;
        }
        return true;
    }

    private sealed class Period : IDisposable
    {
        private bool ended;

        internal Period() => ReferenceScopes++;

        public void Dispose()
        {
            if (!ended)
                ReferenceScopes--;
            ended = true;
        }
    }
}
