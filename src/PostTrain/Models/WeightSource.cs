using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>What a weight is for, which decides how it starts.</summary>
internal enum WeightRole
{
    /// <summary>A lookup table or the output projection.</summary>
    Embedding,

    /// <summary>A projection, [out,in].</summary>
    Projection,

    /// <summary>A projection whose output is added to the residual stream, [out,in].</summary>
    ResidualProjection,

    /// <summary>Starts at zero.</summary>
    Bias,

    /// <summary>Starts at one.</summary>
    NormScale,
}

/// <summary>Where a decoder's weights come from while it is built: a random start or a file. One call for each parameter, by its full
/// name.</summary>
internal abstract class WeightSource
{
    /// <summary>A fresh tensor of this name and shape.</summary>
    public abstract Tensor Get(string name, long[] shape, WeightRole role);

    private readonly List<Parameter> made = [];

    /// <summary>The same as a parameter; the model takes it out of its dispose scope when it is complete.</summary>
    public Parameter Parameter(string name, long[] shape, WeightRole role)
    {
        var parameter = new Parameter(Get(name, shape, role));
        made.Add(parameter);
        return parameter;
    }

    /// <summary>Frees every parameter that was given out, where the model could not be completed: TorchSharp's <c>Linear</c> takes its own
    /// out of the dispose scope at once.</summary>
    public void Release() => made.ForEach(parameter => parameter.Dispose());

    /// <summary>A linear layer whose parameters are <c>name.weight</c>, [out,in], and <c>name.bias</c>.</summary>
    public Linear Linear(string name, long inputs, long outputs, bool bias, WeightRole role = WeightRole.Projection) =>
        nn.Linear(
            Parameter(name + ".weight", [outputs, inputs], role),
            bias ? Parameter(name + ".bias", [outputs], WeightRole.Bias) : null
        );
}
