using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Penalties;

/// <summary>A quadratic penalty on the distance of the trained parameters from kept values, w/2·Σ c_i(θ_i − θ*_i)².</summary>
/// <remarks>It takes part in the updates of every trainer through <see cref="TrainingOptions.Terms"/>, and several add up. Of a model with
/// an adapter it sees the adapter's parameters, which are those that are trained. A parameter that was not trained when the penalty was
/// made is not in it.</remarks>
public sealed class WeightPenalty : IUpdateTerm, IDisposable
{
    private readonly nn.Module model;
    private readonly double weight;
    private readonly Dictionary<string, (Tensor Start, Tensor? Weight)> kept;

    private WeightPenalty(string name, nn.Module model, double weight, Dictionary<string, (Tensor Start, Tensor? Weight)> kept) =>
        (Name, this.model, this.weight, this.kept) = (name, model, weight, kept);

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>L2-SP: α/2·Σ(θ − θ⁰)² over the parameters that require a gradient, θ⁰ their present values.</summary>
    /// <remarks>Li, Grandvalet and Davoine 2018, arXiv:1802.01483, eq. 2. To resume a run, make the penalty from the same start.</remarks>
    /// <param name="model">The model that is trained.</param>
    /// <param name="alpha">α, at least 0.</param>
    public static WeightPenalty L2Sp(nn.Module model, double alpha)
    {
        ArgumentNullException.ThrowIfNull(model);
        Guard.NotNegative(alpha, nameof(alpha));
        return Create("l2sp", model, alpha, _ => null);
    }

    /// <summary>Elastic weight consolidation: λ/2·ΣF(θ − θ*)² over the parameters that require a gradient, θ* their present values and F
    /// the diagonal of the Fisher information there.</summary>
    /// <remarks>Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3. To resume a run, make the penalty from the same start.</remarks>
    /// <param name="model">The model that is trained.</param>
    /// <param name="fisher">Of this model on data of the task that is to be kept; copied.</param>
    /// <param name="lambda">λ, at least 0.</param>
    /// <exception cref="ArgumentException">A trained parameter has no Fisher information, or one of another shape.</exception>
    public static WeightPenalty Ewc(nn.Module model, FisherInformation fisher, double lambda)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(fisher);
        Guard.NotNegative(lambda, nameof(lambda));
        return Create(
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
    /// <returns>A float64 scalar on the CPU that belongs to the caller's dispose scope.</returns>
    public Tensor Penalty()
    {
        using var scope = NewDisposeScope();
        var total = zeros([], dtype: ScalarType.Float64);
        // Read anew each time: moving a model to another device or type replaces its parameters.
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (!parameter.requires_grad || !kept.TryGetValue(name, out var own))
                continue;
            var moved = (parameter - own.Start.to(parameter.dtype, parameter.device)).square();
            if (own.Weight is { } each)
                moved = moved * each.to(parameter.dtype, parameter.device);
            total = total + moved.sum().to(ScalarType.Float64, CPU);
        }
        return (total * (weight / 2)).MoveToOuterDisposeScope();
    }

    /// <summary>Gives the kept values back.</summary>
    public void Dispose()
    {
        foreach (var (start, each) in kept.Values)
        {
            start.Dispose();
            each?.Dispose();
        }
    }

    private static WeightPenalty Create(string name, nn.Module model, double weight, Func<(string Name, Parameter Parameter), Tensor?> each)
    {
        using var mode = no_grad();
        var trained = model.named_parameters().Where(item => item.parameter.requires_grad).ToArray();
        if (trained.Length == 0)
            throw new ArgumentException("the model has no parameter that requires a gradient, expected at least one", nameof(model));
        // All are found before the first is copied.
        var weights = Array.ConvertAll(trained, item => each(item));
        return new WeightPenalty(
            name,
            model,
            weight,
            trained
                .Zip(weights)
                .ToDictionary(
                    pair => pair.First.name,
                    pair => (Copy(pair.First.parameter), pair.Second is { } own ? Copy(own) : null),
                    StringComparer.Ordinal
                )
        );
    }

    private static Tensor Copy(Tensor tensor) => tensor.detach().clone().DetachFromDisposeScope();
}
