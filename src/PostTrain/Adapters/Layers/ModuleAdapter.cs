using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>What one adapter does to one layer of the base model. Its parameters are what is trained; its buffers are fixed.</summary>
internal abstract class ModuleAdapter(string name, Leaf leaf) : nn.Module(name)
{
    public Leaf Leaf { get; } = leaf;

    /// <summary>Whether the layer is a target of the method, and not something that is trained besides.</summary>
    public virtual bool IsTarget => true;

    /// <summary>Whether <see cref="Before"/> does anything.</summary>
    public virtual bool ChangesInput => false;

    /// <summary>Whether <see cref="After"/> does anything.</summary>
    public virtual bool ChangesOutput => true;

    /// <summary>Whether a merge leaves the layers that share this weight right.</summary>
    public virtual bool CoversTied => false;

    /// <summary>The layer's input in place of the given one.</summary>
    public virtual Tensor Before(Tensor input) => input;

    /// <summary>The layer's result in place of <paramref name="output"/>: a fresh tensor, or <paramref name="output"/> itself changed in
    /// place.</summary>
    /// <param name="input">What the layer saw.</param>
    /// <param name="output">What it gave, with what other pieces made of it. Nobody else has it.</param>
    public virtual Tensor After(Tensor input, Tensor output) => output;

    /// <summary>The parameters with which the layer alone gives what it gives with this piece; null where one stays as it is.</summary>
    public abstract (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias);

    /// <summary>What a file holds of it: PEFT's names behind the layer's, and whether the file has the transpose.</summary>
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
/// <param name="Transposed">Whether the file has the transpose.</param>
/// <param name="IsGlobal">Whether it belongs to no layer.</param>
/// <param name="IsOptional">Whether a file may lack it.</param>
internal readonly record struct StoredTensor(
    string Name,
    Tensor Tensor,
    bool Transposed = false,
    bool IsGlobal = false,
    bool IsOptional = false
);
