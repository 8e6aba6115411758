using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The role of a weight, which decides its initialisation.</summary>
internal enum WeightRole
{
    /// <summary>A lookup table or the output projection.</summary>
    Embedding,

    /// <summary>A projection, [out,in].</summary>
    Projection,

    /// <summary>A projection whose output is added to the residual stream, [out,in].</summary>
    ResidualProjection,

    /// <summary>A bias; initialised to zero.</summary>
    Bias,

    /// <summary>The scale of a norm; initialised to one.</summary>
    NormScale,
}

/// <summary>The source of a decoder's weights while it is built: random numbers or a file. One call per parameter, by its full
/// name.</summary>
internal abstract class WeightSource
{
    /// <summary>Returns a new tensor of this name and shape.</summary>
    public abstract Tensor Get(string name, long[] shape, WeightRole role);

    private readonly List<Parameter> made = [];

    /// <summary>Returns the tensor as a parameter; the complete model takes it out of the dispose scope.</summary>
    public Parameter Parameter(string name, long[] shape, WeightRole role)
    {
        var parameter = new Parameter(Get(name, shape, role));
        made.Add(parameter);
        return parameter;
    }

    /// <summary>Disposes all parameters made so far if the model could not be completed: TorchSharp's <c>Linear</c> takes its own out of
    /// the dispose scope at once.</summary>
    public void Release() => made.ForEach(parameter => parameter.Dispose());

    /// <summary>Creates a linear layer with the parameters <c>name.weight</c>, [out,in], and <c>name.bias</c>.</summary>
    public Linear Linear(string name, long inputs, long outputs, bool bias, WeightRole role = WeightRole.Projection) =>
        nn.Linear(
            Parameter(name + ".weight", [outputs, inputs], role),
            bias ? Parameter(name + ".bias", [outputs], WeightRole.Bias) : null
        );
}
