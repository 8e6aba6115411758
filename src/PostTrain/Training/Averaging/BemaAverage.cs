using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A bias-corrected moving average of the trained weights, beside the training run.</summary>
/// <remarks>
/// BEMA, Block and Zhang 2025, arXiv:2508.00180, algorithm 1: ema ← (1 − β)·ema + β·θ and running = ema + α·(θ − θ₀), with
/// β = (ρ + γt)^−κ and α = (ρ + γt)^−η. Training itself is unchanged. Give it to a trainer as one of <see cref="TrainingOptions.Terms"/>;
/// its
/// three copies of the weights (32 bits at least) are part of the checkpoints, so that a resumed run is bit-exact.
/// </remarks>
public sealed class BemaAverage : IUpdateTerm, IDisposable
{
    private readonly BemaOptions options;
    private readonly (string Name, Parameter Parameter, Tensor Start, Tensor Average, Tensor Running)[] weights;

    /// <summary>Takes the weights as the start.</summary>
    /// <param name="model">Its parameters that require a gradient are averaged.</param>
    /// <param name="options">The defaults when null.</param>
    /// <exception cref="ArgumentException">The model has no trainable parameter.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public BemaAverage(nn.Module model, BemaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        this.options = options ?? new BemaOptions();
        this.options.Check();
        using var mode = no_grad();
        weights =
        [
            .. model
                .named_parameters()
                .Where(item => item.parameter.requires_grad)
                .Select(item => (item.name, item.parameter, Copy(item.parameter), Copy(item.parameter), Copy(item.parameter))),
        ];
        if (weights.Length == 0)
            throw new ArgumentException("the model has no parameter that requires a gradient, expected at least one", nameof(model));
    }

    /// <inheritdoc/>
    public string Name => "bema";

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> State =>
        [
            .. weights.SelectMany(item =>
                new[] { ($"start.{item.Name}", item.Start), ($"average.{item.Name}", item.Average), ($"running.{item.Name}", item.Running) }
            ),
        ];

    /// <summary>The averaged weights by the parameters' names. They belong to this object.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> Weights => [.. weights.Select(item => (item.Name, item.Running))];

    /// <inheritdoc/>
    public void AfterUpdate(UpdateMoment moment)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        if (moment.Update == options.After)
        {
            foreach (var (_, parameter, start, average, _) in weights)
            {
                start.copy_(parameter);
                average.copy_(parameter);
            }
        }
        else if (moment.Update > options.After && (moment.Update - options.After) % options.Every == 0)
        {
            double place = options.Lag + (options.Multiplier * moment.Update),
                newWeight = Math.Max(Math.Pow(place, -options.EmaPower), options.MinimumWeight),
                change = Math.Pow(place, -options.BiasPower);
            foreach (var (_, parameter, start, average, running) in weights)
            {
                var now = parameter.detach().to_type(average.dtype);
                average.mul_(1 - newWeight).add_(now, newWeight);
                running.copy_(average).add_(now - start, change);
            }
        }
    }

    /// <summary>Puts the averaged weights into the model until the result is disposed, to evaluate or save it.</summary>
    public IDisposable Applied()
    {
        using var mode = no_grad();
        var before = new Tensor[weights.Length];
        for (int i = 0; i < before.Length; i++)
        {
            before[i] = weights[i].Parameter.detach().clone().DetachFromDisposeScope();
            weights[i].Parameter.copy_(weights[i].Running);
        }
        return new Restoring(weights.Select(item => item.Parameter).ToArray(), before);
    }

    /// <summary>Frees the copies.</summary>
    public void Dispose()
    {
        foreach (var (_, _, start, average, running) in weights)
        {
            start.Dispose();
            average.Dispose();
            running.Dispose();
        }
    }

    private static Tensor Copy(Tensor weight)
    {
        using var scope = NewDisposeScope();
        return weight.detach().to(Precision.AtLeastSingle(weight.dtype), weight.device, copy: true).DetachFromDisposeScope();
    }

    private sealed class Restoring(Parameter[] parameters, Tensor[] before) : IDisposable
    {
        private bool restored;

        public void Dispose()
        {
            if (restored)
                return;
            restored = true;
            using var mode = no_grad();
            foreach (var (parameter, value) in parameters.Zip(before))
            {
                parameter.copy_(value);
                value.Dispose();
            }
        }
    }
}
