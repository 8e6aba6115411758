using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Online merging: each update of the policy is mixed with the change that supervised fine-tuning made, θ ← θ_prev + (1 − α)·Δ +
/// α·(θ_sft − θ_0).</summary>
/// <remarks>
/// Lu et al. 2024, arXiv:2405.17931, for Qwen2 (arXiv:2407.10671, section 4.3): against the loss of abilities in alignment. Without the
/// paper's sparsification of both terms. Give it to a trainer as one of <see cref="Training.TrainingOptions.Terms"/>; its copies of the
/// weights are part of the checkpoints. For parameters of 32 bits and more: those of 16 bits are stepped in copies that it does not see.
/// </remarks>
public sealed class OnlineMerging : IUpdateTerm, IDisposable
{
    private readonly double weight;
    private readonly (string Name, Parameter Parameter, Tensor Change, Tensor Previous)[] weights;

    /// <summary>Takes the model's weights as those after supervised fine-tuning.</summary>
    /// <param name="model">The policy; its parameters that require a gradient are merged.</param>
    /// <param name="before">The weights before supervised fine-tuning, by the parameters' names.</param>
    /// <param name="weight">α, 0 to 1; the paper's are of the order 1e-6.</param>
    /// <exception cref="ArgumentException">A weight is missing, of another shape, or of 16 bits.</exception>
    public OnlineMerging(nn.Module model, IReadOnlyDictionary<string, Tensor> before, double weight)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(before);
        Guard.Fraction(weight, nameof(weight));
        this.weight = weight;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var found = new List<(string, Parameter, Tensor, Tensor)>();
        foreach (var (name, parameter) in model.named_parameters().Where(item => item.parameter.requires_grad))
        {
            if (!before.TryGetValue(name, out var old) || !old.shape.SequenceEqual(parameter.shape))
                throw new ArgumentException($"before has no weight '{name}' of shape {Guard.Shape(parameter)}", nameof(before));
            if (Precision.IsHalf(parameter.dtype))
                throw new ArgumentException($"the parameter '{name}' is {parameter.dtype}, expected 32 bits or more", nameof(model));
            found.Add(
                (name, parameter, (parameter.detach() - old).DetachFromDisposeScope(), parameter.detach().clone().DetachFromDisposeScope())
            );
        }
        weights = [.. found];
    }

    /// <inheritdoc/>
    public string Name => "online merging";

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> State =>
        [.. weights.SelectMany(item => new[] { ($"change.{item.Name}", item.Change), ($"previous.{item.Name}", item.Previous) })];

    /// <summary>Takes the model's weights of this moment as those before the next update, where it was changed in between.</summary>
    public void Restart()
    {
        using var mode = no_grad();
        foreach (var (_, parameter, _, previous) in weights)
            previous.copy_(parameter);
    }

    /// <inheritdoc/>
    public void AfterUpdate(UpdateMoment moment)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, parameter, change, previous) in weights)
        {
            parameter.mul_(1 - weight).add_(previous, weight).add_(change, weight);
            previous.copy_(parameter);
        }
    }

    /// <summary>Frees the copies.</summary>
    public void Dispose()
    {
        foreach (var (_, _, change, previous) in weights)
        {
            change.Dispose();
            previous.Dispose();
        }
    }
}
