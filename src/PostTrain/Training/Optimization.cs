using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Training.Distributed;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>An optimiser with warm-up, schedule and clipping over the trainable parameters of a model, fed with a batch in parts.</summary>
/// <remarks>Mixed precision: parameters in bfloat16 are trained through float32 copies, which are part of the optimiser's state. Penalties
/// and actions of the trained modules and of the options (<see cref="IUpdateTerm"/>) take part in each update.</remarks>
public sealed class Optimization : IDisposable
{
    private readonly TrainingOptions options;
    private readonly IParameterOptimizer optimizer;
    private readonly MasterWeights masters;
    private readonly IUpdateTerm[] terms;
    private readonly ShardedOptimizer? sharded;
    private readonly RankedBackward? ranked;
    private readonly int updatesPerStep;
    private int steps;
    private long announcedUpdates;

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
        terms = TermsOf(model, options);
        if (options.Epochs is null)
            BeginTerms();
        if (sharding == StateSharding.Gradients && terms.Length > 0)
            throw new ArgumentException(
                "there are penalties or actions of updates (Terms, or an adapter's) and Sharding is Gradients; expected Sharding None or "
                    + "Optimizer: they need all gradients",
                nameof(options)
            );
        var holders = sharding == StateSharding.Gradients ? owners : null;
        ranked = Ranks.IsAlone ? null : new RankedBackward(Ranks, trained, holders, options.Seed);
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
            BeginTerms();
        }
    }

    /// <summary>The optimiser's state of each parameter, in the order of <see cref="Parameters"/>.</summary>
    internal IReadOnlyList<IParameterState> States { get; }

    /// <summary>The update terms' state, with its names in checkpoints.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> TermState =>
        terms.SelectMany((term, i) => term.State.Select(item => ($"term.{i}.{term.Name}.{item.Name}", item.Tensor)));

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
        var penalties = AddPenalties();
        masters.CollectGradients();
        double norm = ClipGradients(trained, options.MaxGradNorm, ranked is { IsSplit: true } ? ranked.GlobalNorm : null);
        if (!double.IsFinite(total) || !double.IsFinite(norm) || penalties.Values.Any(value => !double.IsFinite(value)))
            throw new InvalidOperationException(
                $"update {Updates + 1}: the loss is "
                    + $"{total}{string.Concat(penalties.Select(item => $", the penalty {item.Key} {item.Value}"))}"
                    + $" and the gradient's norm {norm}, expected finite numbers; no parameter was changed"
            );

        double rate = options.LearningRate * options.Schedule.Multiplier(Updates, Warmup, TotalUpdates);
        optimizer.Update(rate);
        masters.Publish();
        Updates++;
        foreach (var term in terms)
        {
            using var scope = NewDisposeScope();
            term.AfterUpdate(new UpdateMoment(Updates, announcedUpdates, rate));
        }
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

    /// <summary>Scales all gradients together by min(1, limit/(norm + 1e-6)).</summary>
    /// <param name="parameters">Parameters with their gradients.</param>
    /// <param name="limit">The limit; positive infinity leaves the gradients as they are.</param>
    /// <param name="whole">The norm of all gradients from that of these, where others are elsewhere; null: these are all.</param>
    /// <returns>The norm before; 0 without a gradient.</returns>
    internal static double ClipGradients(IReadOnlyList<Parameter> parameters, double limit, Func<double, double>? whole = null)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var gradients = new List<Tensor>(parameters.Count);
        foreach (var parameter in parameters)
        {
            if (parameter.grad is { } gradient)
                gradients.Add(gradient);
        }
        if (gradients.Count == 0)
            return whole?.Invoke(0) ?? 0;
        var type = gradients[0].dtype;
        if (!gradients.TrueForAll(gradient => Fused.Takes(gradient, gradients[0]) && gradient.is_contiguous()))
            return whole is null ? nn.utils.clip_grad_norm_(parameters, limit) : ClipGradients(gradients, limit, whole);
        int[] all = [.. Enumerable.Range(0, gradients.Count)];
        using var memory = new MemoryList(gradients, all, type, nameof(gradients));
        var norm = Math.Sqrt(
            type == ScalarType.Float32 ? GradientPass.SquaredNorm<float>(memory) : GradientPass.SquaredNorm<double>(memory)
        );
        norm = whole?.Invoke(norm) ?? norm;
        var factor = limit / (norm + 1e-6);
        if (factor >= 1)
            return norm;
        if (type == ScalarType.Float32)
            GradientPass.Scale(memory, (float)factor);
        else
            GradientPass.Scale(memory, factor);
        return norm;
    }

    // Of any type and layout, with the norm of gradients elsewhere.
    private static double ClipGradients(List<Tensor> gradients, double limit, Func<double, double> whole)
    {
        double norm = whole(Math.Sqrt(gradients.Sum(gradient => gradient.to_type(ScalarType.Float64).square().sum().ToDouble())));
        var factor = limit / (norm + 1e-6);
        if (factor < 1)
            foreach (var gradient in gradients)
                gradient.mul_(factor);
        return norm;
    }

    private long TotalUpdates => (long)steps * updatesPerStep;

    private long Warmup => (long)options.WarmupSteps * updatesPerStep;

    // Those of the modules that are trained, then those of the options. Modules that two parts of a model share are listed twice.
    private static IUpdateTerm[] TermsOf(nn.Module model, TrainingOptions options) =>
        [
            .. model
                .named_modules()
                .Select(item => item.module)
                .Prepend(model)
                .OfType<IUpdateTermSource>()
                .SelectMany(source => source.UpdateTerms)
                .Concat(options.Terms)
                .Distinct(ReferenceEqualityComparer.Instance)
                .Cast<IUpdateTerm>(),
        ];

    // Tells every term the number of updates of the run, once for each number.
    private void BeginTerms()
    {
        if (TotalUpdates == announcedUpdates)
            return;
        announcedUpdates = TotalUpdates;
        foreach (var term in terms)
            term.Begin(TotalUpdates);
    }

    // Adds the gradients of all penalties and returns their values by name; those of one name are added up.
    private Dictionary<string, double> AddPenalties()
    {
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var term in terms)
        {
            using var scope = NewDisposeScope();
            if (term.Penalty() is not { } penalty)
                continue;
            if (penalty.NumberOfElements != 1 || !penalty.requires_grad)
                throw new InvalidOperationException(
                    $"the penalty '{term.Name}' is [{string.Join(", ", penalty.shape)}] "
                        + $"{(penalty.requires_grad ? "with" : "without")} a gradient, expected a scalar that depends on trained parameters"
                );
            penalty.sum().backward();
            values[term.Name] = values.GetValueOrDefault(term.Name) + penalty.ToDouble();
        }

        return values;
    }

    private double Factor(string name)
    {
        var factor = options.LearningRateFactor?.Invoke(name) ?? 1;
        Guard.Positive(factor, $"LearningRateFactor({name})");
        return factor;
    }
}
