using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Training.Distributed;

namespace PostTrain.Training;

/// <summary>Options common to all trainers: steps, batch size, optimiser, checkpoints.</summary>
public abstract record TrainingOptions
{
    private const int DefaultSteps = 100;

    private readonly int? steps;

    /// <summary>Steps to train for, each on one batch. Not together with <see cref="Epochs"/>.</summary>
    /// <value>The default is 100, unless there are epochs.</value>
    public int Steps
    {
        get => steps ?? DefaultSteps;
        init => steps = value;
    }

    /// <summary>Passes over the data to train for, above 0, instead of <see cref="Steps"/>: a run of n examples has ⌈Epochs·n /
    /// <see cref="BatchSize"/>⌉ steps. The last batch is filled from the next pass.</summary>
    /// <value>The default is null: the number of steps is given.</value>
    public double? Epochs { get; init; }

    /// <summary>Examples (for rollouts: prompts) in a batch.</summary>
    /// <value>The default is 8.</value>
    public int BatchSize { get; init; } = 8;

    /// <summary>Sequences that go through the model at once; the gradient is accumulated over the parts and does not depend on it. Null:
    /// all at once.</summary>
    /// <value>The default is null.</value>
    public int? MicroBatchSize { get; init; }

    /// <summary>Truncation of sequences that are too long: of prompt and completion, or of the prompts that are sampled from.</summary>
    /// <value>The default is null: what does not fit the model's context is refused.</value>
    public SequenceTruncation? Truncation { get; init; }

    /// <summary>Learning rate after warm-up, above 0.</summary>
    /// <value>The default is 1e-4.</value>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Factor of a parameter's learning rate by the parameter's name, above 0. Null: 1 for all.</summary>
    /// <value>The default is null.</value>
    public Func<string, double>? LearningRateFactor { get; init; }

    /// <summary>Schedule of the learning rate: warm-up and decay.</summary>
    /// <value>The default is <see cref="LearningRateSchedule.Constant"/>.</value>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Steps over which the learning rate rises, from 0 unless the schedule says otherwise: the first step changes nothing then,
    /// as everywhere in this field.</summary>
    /// <value>The default is 0.</value>
    public int WarmupSteps { get; init; }

    /// <summary>Optimiser.</summary>
    /// <value>The default is <see cref="OptimizerChoice.AdamW"/>.</value>
    public OptimizerChoice Optimizer { get; init; } = OptimizerChoice.AdamW;

    /// <summary>Weight decay, on matrices only (no biases, no norms): decoupled, but part of the gradient with Adam and Sgd; at least
    /// 0.</summary>
    /// <value>The default is 0.</value>
    public double WeightDecay { get; init; }

    /// <summary>AdamW's and Adam's decay of the mean of gradients, in [0, 1).</summary>
    /// <value>The default is 0.9.</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW's and Adam's decay of the mean of squared gradients, in [0, 1).</summary>
    /// <value>The default is 0.999.</value>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>AdamW's and Adam's term in the divisor, above 0.</summary>
    /// <value>The default is 1e-8.</value>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>The gradient's norm is scaled down to this; positive infinity leaves it as it is.</summary>
    /// <value>The default is 1.</value>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Penalties and actions of each update besides those that the trained modules bring.</summary>
    /// <value>The default is none.</value>
    public IReadOnlyList<IUpdateTerm> Terms { get; init; } = [];

    /// <summary>Seed of all randomness of the run.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    /// <summary>Folder of the checkpoints; null keeps none.</summary>
    /// <value>The default is null.</value>
    public string? CheckpointDirectory { get; init; }

    /// <summary>Steps between checkpoints; 0 writes one only at the end and when the run is cancelled.</summary>
    /// <value>The default is 0.</value>
    public int CheckpointEvery { get; init; }

    /// <summary>Newest checkpoints that are kept, besides the one of the best evaluation; 0 keeps all.</summary>
    /// <value>The default is 0.</value>
    public int KeepCheckpoints { get; init; }

    /// <summary>When the run is evaluated on the data given for it, and whether it ends early.</summary>
    /// <value>The default is every 100 steps, by <c>eval/loss</c>, without ending early.</value>
    public EvaluationOptions Evaluation { get; init; } = new();

    /// <summary>Options of a run as several processes.</summary>
    /// <value>The default is the ranks that <c>mpirun</c> started, or one process.</value>
    public DistributedOptions Distributed { get; init; } = new();

    /// <summary>Told of each step's report, in order: a console, a <see cref="MetricsLog"/>, a chart.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<IProgress<StepReport>> Observers { get; init; } = [];

    /// <summary>True if a run may say on standard error, once in a process, that weights in bfloat16 would be faster on this
    /// processor.</summary>
    /// <value>The default is true.</value>
    public bool ShowHints { get; init; } = true;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the option, the value and the range.</exception>
    public virtual void Validate()
    {
        Guard.AtLeast(Steps, 1, nameof(Steps));
        if (Epochs is { } epochs)
        {
            if (!(epochs > 0 && double.IsFinite(epochs)))
                throw new ArgumentOutOfRangeException(nameof(Epochs), epochs, "Epochs must be a finite number above 0");
            if (steps is not null)
                throw new ArgumentOutOfRangeException(
                    nameof(Epochs),
                    epochs,
                    $"Steps is {steps} and Epochs is given too, expected one of the two: the other follows from the data"
                );
        }
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
        if (MicroBatchSize is { } size)
            Guard.AtLeast(size, 1, nameof(MicroBatchSize));
        Truncation?.Validate();
        Guard.Positive(LearningRate, nameof(LearningRate));
        Guard.AtLeast(WarmupSteps, 0, nameof(WarmupSteps));
        ArgumentNullException.ThrowIfNull(Schedule);
        Schedule.Validate();
        ArgumentNullException.ThrowIfNull(Optimizer);
        Guard.NotNegative(WeightDecay, nameof(WeightDecay));
        Decay(Beta1, nameof(Beta1));
        Decay(Beta2, nameof(Beta2));
        Guard.Positive(AdamEpsilon, nameof(AdamEpsilon));
        if (!(MaxGradNorm > 0))
            throw new ArgumentOutOfRangeException(
                nameof(MaxGradNorm),
                MaxGradNorm,
                "MaxGradNorm must be above 0; positive infinity turns clipping off"
            );
        ArgumentNullException.ThrowIfNull(Terms);
        Guard.AtLeast(CheckpointEvery, 0, nameof(CheckpointEvery));
        Guard.AtLeast(KeepCheckpoints, 0, nameof(KeepCheckpoints));
        Evaluation.Validate();
        ArgumentNullException.ThrowIfNull(Distributed);
        Distributed.Validate();
        if (Ranks.Of(this).Size is var ranks && RowsOfBatch < ranks)
            throw new ArgumentOutOfRangeException(
                nameof(BatchSize),
                BatchSize,
                $"BatchSize gives {RowsOfBatch} rows, expected at least {ranks}, one for each rank"
            );
    }

    /// <summary>Rows of a batch that ranks can share.</summary>
    internal virtual long RowsOfBatch => BatchSize;

    /// <summary>Name of the option that cuts each batch into parts; null for batches that are worked on whole.</summary>
    internal string? CutBy =>
        MicroBatchSize is not null ? nameof(MicroBatchSize)
        : RankCut is not null ? nameof(Distributed)
        : null;

    /// <summary>Ranks that cut each batch into parts; null for one process.</summary>
    internal int? RankCut => Ranks.Of(this).Size is > 1 and var ranks ? ranks : null;

    /// <summary>Steps of a run on so many examples.</summary>
    /// <exception cref="InvalidOperationException">There are more steps than can be counted.</exception>
    internal int StepsOn(int examples)
    {
        if (Epochs is not { } epochs)
            return Steps;
        double wanted = Math.Ceiling(epochs * examples / BatchSize);
        return wanted <= int.MaxValue
            ? (int)wanted
            : throw new InvalidOperationException($"Epochs is {epochs}, which gives {wanted} steps, expected at most {int.MaxValue}");
    }

    // At 1 the correction of the first steps' bias would divide by 0.
    private static void Decay(double value, string name)
    {
        if (!(value is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and below 1");
    }
}
