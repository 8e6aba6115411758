using PostTrain.Numerics;
using PostTrain.Training.Distributed;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>An optimiser with warm-up, schedule and clipping over the trainable parameters of a model, fed with a batch in parts.</summary>
/// <remarks>Mixed precision: parameters in bfloat16 are trained through float32 copies, which are part of the optimiser's state. Penalties
/// and actions of the trained modules and of the options (<see cref="Models.IUpdateTerm"/>) take part in each update.</remarks>
public sealed class Optimization : IDisposable
{
    private readonly TrainingOptions options;
    private readonly IParameterOptimizer optimizer;
    private readonly MasterWeights masters;
    private readonly UpdateTerms terms;
    private readonly ShardedOptimizer? sharded;
    private readonly RankedBackward? ranked;
    private readonly int updatesPerStep;
    private int steps;

    // What the optimiser changes: the parameters, or their copies.
    private readonly Parameter[] trained;

    /// <param name="model">Its parameters that require a gradient are trained; the others keep their bytes.</param>
    /// <param name="options">Rates, schedule and clipping.</param>
    /// <param name="updatesPerStep">Updates in a step of the options' schedule.</param>
    /// <exception cref="ArgumentException">The model has no trainable parameter, or one in float16.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public Optimization(nn.Module model, TrainingOptions options, int updatesPerStep = 1)
    {
        options.Validate();
        Ranks = Ranks.Of(options);
        Guard.AtLeast(updatesPerStep, 1, nameof(updatesPerStep));
        this.options = options;
        this.updatesPerStep = updatesPerStep;
        steps = options.Steps;
        // Matrices first, then the vectors, which weight decay leaves alone.
        var trainable = model.named_parameters().Where(p => p.parameter.requires_grad).ToArray();
        if (trainable.Length == 0)
            throw new ArgumentException("the model has no parameter that requires a gradient, expected at least one", nameof(model));
        var groups = trainable
            .OrderBy(p => p.parameter.dim() < 2)
            .GroupBy(p =>
                (Matrix: p.parameter.dim() >= 2, Factor: Factor(p.name), Orthogonal: options.Optimizer.IsOrthogonal(p.name, p.parameter))
            )
            .ToArray();
        Parameters = [.. groups.SelectMany(group => group)];
        masters = new MasterWeights(Parameters);
        trained = [.. Parameters.Select(p => masters.Of(p.Parameter))];
        ParameterGroup[] made =
        [
            .. groups.Select(group => new ParameterGroup(
                [.. group.Select(p => masters.Of(p.parameter))],
                group.Key.Matrix ? options.WeightDecay : 0,
                group.Key.Factor,
                group.Key.Orthogonal
            )),
        ];
        var sharding = Ranks.IsAlone ? StateSharding.None : options.Distributed.Sharding;
        var owners = sharding == StateSharding.None ? null : ParameterOwners.Of(trained, Ranks.Size);
        sharded = owners is null ? null : new ShardedOptimizer(Ranks, made, owners, own => options.Optimizer.Create(own, options));
        optimizer = sharded ?? options.Optimizer.Create(made, options);
        PrecisionHint.Show(Parameters, model, options);
        terms = new UpdateTerms(model, options);
        if (options.Epochs is null)
            terms.Begin(TotalUpdates);
        if (sharding == StateSharding.Gradients && !terms.IsEmpty)
            throw new ArgumentException(
                "there are penalties or actions of updates (Terms, or an adapter's) and Sharding is Gradients; expected Sharding None or "
                    + "Optimizer: they need all gradients",
                nameof(options)
            );
        ranked = Ranks.IsAlone
            ? null
            : new RankedBackward(Ranks, trained, sharding == StateSharding.Gradients ? owners : null, options.Seed);
        States = [.. Parameters.Zip(optimizer.States, (item, state) => masters.WithMaster(item.Parameter, state))];
    }

    /// <summary>The trained parameters with their names, in the optimiser's order.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> Parameters { get; }

    /// <summary>Optimiser steps done.</summary>
    public long Updates { get; internal set; }

    /// <summary>The ranks that share the parts of each update.</summary>
    internal Ranks Ranks { get; }

    /// <summary>Steps of the schedule: those of the options, or what their epochs give on a data set.</summary>
    internal int Steps
    {
        get => steps;
        set
        {
            steps = value;
            terms.Begin(TotalUpdates);
        }
    }

    /// <summary>The optimiser's state of each parameter, in the order of <see cref="Parameters"/>.</summary>
    internal IReadOnlyList<IParameterState> States { get; }

    /// <summary>The update terms' state, with its names in checkpoints.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> TermState => terms.State;

    /// <summary>One optimiser step over a batch in parts.</summary>
    /// <param name="parts">Number of parts, at least 1.</param>
    /// <param name="loss">The loss of a part, already divided by the whole batch's denominator, so that the parts add up.</param>
    /// <exception cref="InvalidOperationException">The loss or the gradient is not finite; no parameter has changed.</exception>
    public UpdateReport Update(int parts, Func<int, Tensor> loss) => Update(parts, loss, []);

    /// <summary>One optimiser step over a batch in parts, each computed by one of the ranks.</summary>
    /// <param name="parts">Number of parts, at least 1.</param>
    /// <param name="loss">The loss of a part, divided by the whole batch's denominator.</param>
    /// <param name="means">Means that <paramref name="loss"/> adds to; they take what all parts add.</param>
    internal UpdateReport Update(int parts, Func<int, Tensor> loss, params IReadOnlyList<MetricMeans> means)
    {
        Guard.AtLeast(parts, 1, nameof(parts));
        // Each read of a gradient makes a tensor of its own, also those of TorchSharp's optimisers.
        using var update = NewDisposeScope();
        // Zeroing also clears gradients left over from earlier calls.
        Clear();
        double total = 0;
        if (ranked is not null)
            total = ranked.Run(parts, Updates, Backward, Clear, means);
        else
            for (int part = 0; part < parts; part++)
                total += Backward(part);
        var penalties = terms.AddPenalties();
        masters.CollectGradients();
        double norm = GradientClipping.Clip(trained, options.MaxGradNorm, ranked is { IsSplit: true } ? ranked.GlobalNorm : null);
        if (!double.IsFinite(total) || !double.IsFinite(norm) || penalties.Values.Any(value => !double.IsFinite(value)))
            throw new InvalidOperationException(
                $"update {Updates + 1}: the loss is {total}{string.Concat(penalties.Select(item => $", the penalty {item.Key} {item.Value}"))}"
                    + $" and the gradient's norm {norm}, expected finite numbers; no parameter was changed"
            );

        double rate = options.LearningRate * options.Schedule.Multiplier(Updates, Warmup, TotalUpdates);
        optimizer.Update(rate);
        masters.Publish();
        Updates++;
        terms.AfterUpdate(Updates, rate);
        return new UpdateReport(total, norm, rate) { Penalties = penalties };

        double Backward(int part)
        {
            using var scope = NewDisposeScope();
            var value = loss(part);
            value.backward();
            masters.CollectGradients();
            return value.ToDouble();
        }

        void Clear()
        {
            masters.CollectGradients();
            optimizer.ZeroGradients();
        }
    }

    /// <summary>Writes a checkpoint, on rank 0, with the states of all ranks.</summary>
    internal string? Save(Func<string> write)
    {
        string? Write() => Ranks.First(write);
        return sharded is null ? Write() : sharded.WithAll(Write);
    }

    /// <summary>Reads a checkpoint, on each rank, with room for the states of all.</summary>
    internal TrainingState Load(Func<TrainingState> read) => sharded is null ? read() : sharded.WithRoom(read);

    /// <summary>Bytes of the optimiser's state on this rank, without copies of bfloat16 weights.</summary>
    internal long StateBytes =>
        sharded?.OwnBytes
        ?? optimizer.States.Sum(state => state.Tensors.Sum(item => item.Tensor.NumberOfElements * item.Tensor.ElementSize));

    /// <summary>Gives the optimiser's state back.</summary>
    public void Dispose()
    {
        optimizer.Dispose();
        masters.Dispose();
    }

    private long TotalUpdates => (long)steps * updatesPerStep;

    private long Warmup => (long)options.WarmupSteps * updatesPerStep;

    private double Factor(string name)
    {
        var factor = options.LearningRateFactor?.Invoke(name) ?? 1;
        Guard.Positive(factor, $"LearningRateFactor({name})");
        return factor;
    }
}
