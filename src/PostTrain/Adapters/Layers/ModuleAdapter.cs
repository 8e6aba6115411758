using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>An adapter's part for one layer of the base model. Its parameters are trained; its buffers are fixed.</summary>
internal abstract class ModuleAdapter(string name, Leaf leaf) : nn.Module(name)
{
    public Leaf Leaf { get; } = leaf;

    /// <summary>True if the layer is a target of the method, false if it is trained in addition.</summary>
    public virtual bool IsTarget => true;

    /// <summary>True if <see cref="Before"/> changes its input.</summary>
    public virtual bool ChangesInput => false;

    /// <summary>True if <see cref="After"/> changes its input.</summary>
    public virtual bool ChangesOutput => true;

    /// <summary>True if a merge keeps layers that share this weight correct.</summary>
    public virtual bool CoversTied => false;

    /// <summary>The layer's input in place of the given one.</summary>
    public virtual Tensor Before(Tensor input) => input;

    /// <summary>The layer's result in place of <paramref name="output"/>: a fresh tensor, or <paramref name="output"/> itself changed in
    /// place.</summary>
    /// <param name="input">The layer's input.</param>
    /// <param name="output">The layer's output, as changed by other parts. It is not shared.</param>
    public virtual Tensor After(Tensor input, Tensor output) => output;

    /// <summary>The parameters with which the layer alone gives what it gives with this piece; null where one stays as it is.</summary>
    public abstract (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias);

    /// <summary>Returns the tensors of a file: PEFT's names after the layer's, and the orientation.</summary>
    public abstract IEnumerable<StoredTensor> Stored();

    /// <summary>Half-precision bases get float32 adapters.</summary>
    protected static ScalarType TypeFor(Leaf leaf) => Precision.AtLeastSingle(leaf.Type);

    /// <summary>A parameter that belongs to no dispose scope.</summary>
    protected static Parameter Trained(Leaf leaf, Tensor data)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return (Parameter)new Parameter(data.to(TypeFor(leaf), leaf.Device, copy: true)).DetachFromDisposeScope();
    }

    /// <summary>A tensor that belongs to no dispose scope.</summary>
    protected static Tensor Fixed(Leaf leaf, Tensor data, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return data.detach().to(type ?? TypeFor(leaf), leaf.Device, copy: true).DetachFromDisposeScope();
    }

    protected static Tensor Cast(Tensor tensor, ScalarType type) => tensor.dtype == type ? tensor : tensor.to_type(type);

    /// <summary>output + scale·delta in the output's type; in place where no gradient is recorded.</summary>
    protected static Tensor Add(Tensor output, Tensor delta, double scale)
    {
        if (delta.dtype != output.dtype)
        {
            using var scope = NewDisposeScope();
            return output.to_type(delta.dtype).add(delta, scale).to_type(output.dtype).MoveToOuterDisposeScope();
        }

        return is_grad_enabled() ? output.add(delta, scale) : output.add_(delta, scale);
    }
}

/// <summary>A tensor of an adapter's file.</summary>
/// <param name="Name">Behind the layer's name and a dot; with <see cref="IsGlobal"/> behind the model's.</param>
/// <param name="Tensor">The tensor in memory.</param>
/// <param name="Transposed">True if the file has the transpose.</param>
/// <param name="IsGlobal">True if it belongs to no layer.</param>
/// <param name="IsOptional">True if a file may omit it.</param>
internal readonly record struct StoredTensor(
    string Name,
    Tensor Tensor,
    bool Transposed = false,
    bool IsGlobal = false,
    bool IsOptional = false
);
