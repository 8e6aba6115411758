using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Penalties;

/// <summary>A term of the parameters that every update of a trainer adds to its loss: a distance from weights that are to be
/// kept.</summary>
/// <remarks>It takes part in every trainer through <see cref="TrainingOptions.Penalties"/>, once an update, however the batch is cut. Of
/// a model with an adapter it sees the adapter's parameters, which are those that are trained.</remarks>
public sealed class ParameterPenalty : IDisposable
{
    private readonly Func<Tensor> value;
    private readonly Tensor[] owned;

    private ParameterPenalty(string name, Func<Tensor> value, params Tensor[] owned)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        (Name, this.value, this.owned) = (name, value, owned);
    }

    /// <summary>Name in messages and metrics.</summary>
    public string Name { get; }

    /// <summary>Creates a penalty from a function.</summary>
    /// <param name="name">Name in messages and metrics.</param>
    /// <param name="value">Gives a scalar with a gradient in trained parameters. What it makes belongs to the dispose scope around the
    /// call.</param>
    public static ParameterPenalty Of(string name, Func<Tensor> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new ParameterPenalty(name, value);
    }

    /// <summary>L2-SP: α/2·Σ(θ − θ⁰)² over the parameters that require a gradient, θ⁰ their present values.</summary>
    /// <remarks>Li, Grandvalet and Davoine 2018, arXiv:1802.01483, eq. 2. To resume a run, make the penalty from the same start.</remarks>
    /// <param name="model">The model that is trained.</param>
    /// <param name="alpha">α, at least 0.</param>
    public static ParameterPenalty L2Sp(nn.Module model, double alpha)
    {
        ArgumentNullException.ThrowIfNull(model);
        Guard.NotNegative(alpha, nameof(alpha));
        return Quadratic("l2sp", model, alpha, _ => null);
    }

    /// <summary>Elastic weight consolidation: λ/2·ΣF(θ − θ*)² over the parameters that require a gradient, θ* their present values and F
    /// the diagonal of the Fisher information there.</summary>
    /// <remarks>Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3. To resume a run, make the penalty from the same start.</remarks>
    /// <param name="model">The model that is trained.</param>
    /// <param name="fisher">Of this model on data of the task that is to be kept; copied.</param>
    /// <param name="lambda">λ, at least 0.</param>
    /// <exception cref="ArgumentException">A trained parameter has no Fisher information, or one of another shape.</exception>
    public static ParameterPenalty Ewc(nn.Module model, FisherInformation fisher, double lambda)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(fisher);
        Guard.NotNegative(lambda, nameof(lambda));
        return Quadratic(
            "ewc",
            model,
            lambda,
            item =>
                fisher.Values.TryGetValue(item.Name, out var found) && found.shape.SequenceEqual(item.Parameter.shape)
                    ? found
                    : throw new ArgumentException(
                        $"fisher has {(found is null ? "nothing" : Guard.Shape(found))} for the parameter '{item.Name}' "
                            + $"{Guard.Shape(item.Parameter)}, expected the Fisher information of this model",
                        nameof(fisher)
                    )
        );
    }

    /// <summary>Computes the penalty.</summary>
    /// <returns>A scalar that belongs to the caller's dispose scope.</returns>
    /// <exception cref="InvalidOperationException">A function of the user gave no scalar.</exception>
    public Tensor Evaluate()
    {
        using var scope = NewDisposeScope();
        return Guard.Result(value(), $"penalty '{Name}'", [], "a scalar").MoveToOuterDisposeScope();
    }

    /// <summary>Gives the kept weights back.</summary>
    public void Dispose()
    {
        foreach (var tensor in owned)
            tensor.Dispose();
    }

    private static ParameterPenalty Quadratic(
        string name,
        nn.Module model,
        double factor,
        Func<(string Name, Parameter Parameter), Tensor?> weight
    )
    {
        var starts = new Dictionary<string, (Tensor Start, Tensor? Weight)>(StringComparer.Ordinal);
        using var mode = no_grad();
        foreach (var item in model.named_parameters().Where(item => item.parameter.requires_grad))
            starts.Add(item.name, (Kept(item.parameter), weight(item) is { } given ? Kept(given) : null));
        if (starts.Count == 0)
            throw new ArgumentException("the model has no parameter that requires a gradient, expected at least one", nameof(model));
        return new ParameterPenalty(
            name,
            () =>
            {
                // Read anew each time: moving a model to another device or type replaces its parameters.
                var total = zeros([], dtype: ScalarType.Float64);
                foreach (var (place, parameter) in model.named_parameters())
                {
                    if (!parameter.requires_grad || !starts.TryGetValue(place, out var kept))
                        continue;
                    var moved = (parameter - kept.Start.to(parameter.dtype, parameter.device)).square();
                    if (kept.Weight is { } own)
                        moved = moved * own.to(parameter.dtype, parameter.device);
                    total = total + moved.sum().to(ScalarType.Float64, CPU);
                }
                return total * (factor / 2);
            },
            [.. starts.Values.SelectMany(pair => (Tensor?[])[pair.Start, pair.Weight]).OfType<Tensor>()]
        );

        static Tensor Kept(Tensor tensor) => tensor.detach().clone().DetachFromDisposeScope();
    }
}
