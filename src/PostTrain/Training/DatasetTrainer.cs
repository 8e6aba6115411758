using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Text;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A trainer on a fixed data set, as a program uses it. A trainer of your own derives from
/// <see cref="DatasetTrainer{TExample, TBatch}"/>.</summary>
/// <remarks>
/// Each step reads <see cref="TrainingOptions.BatchSize"/> examples in an order that the seed decides. The gradient does not depend on how
/// the batch is cut into micro-batches. Metrics of every such trainer: <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c>,
/// <c>time/batch</c>, <c>time/update</c>, <c>time/evaluation</c>, and of an evaluation <c>eval/loss</c> and the objective's own metrics
/// under <c>eval/</c>.
/// </remarks>
/// <typeparam name="TExample">A record of the data set.</typeparam>
public abstract class DatasetTrainer<TExample> : IDisposable
{
    private protected DatasetTrainer(nn.Module model, TrainingOptions options) => Session = new TrainingSession(model, options);

    /// <summary>Steps done.</summary>
    public long StepsDone => Session.Step;

    private protected TrainingSession Session { get; }

    /// <summary>Writes a checkpoint of the steps done, also in a loop of your own; <see cref="Resume"/> goes on from it.</summary>
    /// <param name="directory">Parent of the checkpoint's directory; made if it is missing.</param>
    /// <returns>Path of the checkpoint, <c>directory/checkpoint-STEP</c>.</returns>
    public string SaveCheckpoint(string directory) => Session.Save(directory);

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and data.</summary>
    public void Resume(string checkpoint) => Session.Resume(checkpoint);

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="data">The examples; at least one.</param>
    /// <param name="evaluation">Examples that <see cref="TrainingOptions.Evaluation"/> judges the model by; null for none.</param>
    /// <param name="cancellation">Looked at between steps; leaves a checkpoint (where a directory is given) and throws.</param>
    /// <exception cref="ArgumentException">The data are empty, or an example does not fit the model's context.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    /// <remarks>A step is counted as soon as its update is made. When an evaluation, an observer or a checkpoint throws after that, a
    /// further call goes on behind the update, and first makes up for an
    /// evaluation that is missing; its weights are those of a run that nothing interrupted.</remarks>
    public abstract IEnumerable<StepReport> Run(
        IReadOnlyList<TExample> data,
        IReadOnlyList<TExample>? evaluation = null,
        CancellationToken cancellation = default
    );

    /// <summary>One step on a batch of the caller's choice, for a loop of your own: loss, gradient, update, report.</summary>
    /// <param name="batch">The examples; at least one. <see cref="TrainingOptions.BatchSize"/> is not looked at.</param>
    public StepReport Step(IReadOnlyList<TExample> batch) => TakeStep(batch);

    /// <summary>Loss and metrics of examples as the model is now: <c>eval/loss</c> and the objective's metrics. Nothing is
    /// trained.</summary>
    /// <param name="data">The examples; at least one.</param>
    public abstract IReadOnlyDictionary<string, double> Evaluate(IReadOnlyList<TExample> data);

    private protected abstract StepReport TakeStep(IReadOnlyList<TExample> batch);

    /// <summary>Gives the optimiser's state back; the model stays with the caller.</summary>
    public void Dispose()
    {
        Session.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Base of trainers on a fixed data set: the order of examples, batches, gradient accumulation, evaluation,
/// checkpoints.</summary>
/// <remarks>
/// A step goes from top to bottom: <see cref="BeforeStep"/>, a batch of what <see cref="Prepare"/> made of the data, <see cref="Loss"/> of
/// each part of it with the gradient added up, the optimiser's update. A trainer of your own says what these three do, and has
/// everything that the library's trainers have.
/// </remarks>
/// <typeparam name="TExample">A record of the data set.</typeparam>
/// <typeparam name="TBatch">A batch of them as tensors.</typeparam>
public abstract class DatasetTrainer<TExample, TBatch> : DatasetTrainer<TExample>
    where TBatch : ITrainingBatch
{
    private readonly nn.Module model;
    private readonly TrainingOptions options;

    /// <param name="model">Module whose parameters that require a gradient are trained.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    protected DatasetTrainer(nn.Module model, TrainingOptions options)
        : base(model, options)
    {
        this.model = model;
        this.options = options;
        Session.State = () => State;
    }

    /// <summary>Turns a data set into token ids, once before its first step, and returns how chosen examples become a batch.</summary>
    /// <param name="data">The examples; at least one.</param>
    /// <param name="name">Name of the data set for messages; an error names an example as <c>NAME[index]</c>.</param>
    /// <returns>A function from indices of examples to a batch of them; called in each step, within a dispose scope.</returns>
    protected abstract Func<IReadOnlyList<int>, TBatch> Prepare(IReadOnlyList<TExample> data, string name);

    /// <summary>Findings about the data set that <see cref="Prepare"/> is working on. The report of the first step tells them, each kind
    /// once; examples that are dropped do not occur in batches.</summary>
    protected DataNotes Notes { get; private set; } = new();

    /// <summary>Makes an encoder with the options' truncation that adds to <see cref="Notes"/>.</summary>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="contextLength">The model's context in tokens.</param>
    /// <param name="appendEnd">True to end completions that have no end.</param>
    protected ExampleEncoder Encoder(ITokenizer tokenizer, int contextLength, bool appendEnd) =>
        new(tokenizer, contextLength)
        {
            AppendEnd = appendEnd,
            Truncation = options.Truncation,
            Notes = Notes,
        };

    /// <summary>Encodes demonstrations; those of which no token is learnt are left out of batches.</summary>
    private protected TokenExample[] Encode(IReadOnlyList<Demonstration> data, string name, ExampleEncoder encoder)
    {
        var examples = new TokenExample[data.Count];
        for (int i = 0; i < examples.Length; i++)
        {
            examples[i] = encoder.Encode(data[i].Prompt, data[i].Completion, $"{name}[{i}]");
            if (!examples[i].HasLearnt)
                Notes.Drop(i);
        }
        return examples;
    }

    /// <summary>Computes the share that some rows have in the loss of the whole batch: their sum of losses over
    /// <see cref="ITrainingBatch.Denominator"/>, so that the shares add up to the loss whatever the parts.</summary>
    /// <param name="batch">The whole batch.</param>
    /// <param name="start">First row of the part.</param>
    /// <param name="count">Rows of the part.</param>
    /// <param name="metrics">Takes the metrics of the part, each with its weight.</param>
    /// <returns>A scalar with a gradient, within the step's dispose scope.</returns>
    protected abstract Tensor Loss(TBatch batch, int start, int count, MetricMeans metrics);

    /// <summary>Called before the loss of a step, such as to move a reference. A step that is tried again calls it again.</summary>
    /// <param name="done">Steps done so far.</param>
    protected virtual void BeforeStep(long done) { }

    /// <summary>Called with each batch on every rank, before the loss of its first part: for what is computed once of the whole.</summary>
    private protected virtual void Complete(TBatch batch) { }

    /// <summary>State that checkpoints hold besides model, optimiser and position; null for none.</summary>
    protected virtual ITrainerState? State => null;

    /// <inheritdoc/>
    public sealed override IEnumerable<StepReport> Run(
        IReadOnlyList<TExample> data,
        IReadOnlyList<TExample>? evaluation = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(data);
        options.Evaluation.CheckData(evaluation is not null, nameof(evaluation));
        Session.Agree(data, nameof(data));
        bool begins = Session.Step == 0;
        var batches = Prepared(data, nameof(data), begins);
        return Steps(batches, evaluation is null ? null : Prepared(evaluation, nameof(evaluation), begins), cancellation);
    }

    private protected sealed override StepReport TakeStep(IReadOnlyList<TExample> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Session.CheckSteps();
        Session.Agree(batch, nameof(batch));
        var batches = Prepared(batch, nameof(batch), tells: true);
        Session.Begin();
        Update(batches, [.. Enumerable.Range(0, batches.Count)]);
        return Session.Complete();
    }

    /// <inheritdoc/>
    public sealed override IReadOnlyDictionary<string, double> Evaluate(IReadOnlyList<TExample> data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var metrics = new Dictionary<string, double>();
        Evaluate(Prepared(data, nameof(data), tells: false), metrics);
        return metrics;
    }

    /// <summary>The loss of a part, for replays of recorded batches.</summary>
    internal Tensor LossOf(TBatch batch, int start, int count, MetricMeans metrics) => Loss(batch, start, count, metrics);

    private PreparedData Prepared(IReadOnlyList<TExample> data, string name, bool tells)
    {
        if (data.Count == 0)
            throw new ArgumentException($"{name} holds no example, expected at least one", name);
        Notes = new DataNotes();
        var batches = Prepare(data, name);
        int[] kept = Notes.Kept(data.Count);
        var found = Notes.Of(data.Count);
        if (kept.Length == 0)
            throw new ArgumentException(
                $"{name} holds no example that can be learnt from: "
                    + string.Join(" ", found.Select(note => $"{note.Message} {note.Advice}")),
                name
            );
        if (tells)
            Session.Tell(name, data is RecordSet<TExample> read ? [.. read.Notes, .. found] : found);
        return new PreparedData(batches, kept);
    }

    private IEnumerable<StepReport> Steps(PreparedData batches, PreparedData? evaluated, CancellationToken cancellation)
    {
        var order = new ShuffledOrder(batches.Count, options.Seed);
        Session.Plan(batches.Count);
        Session.Begin();
        while (Session.IsUnfinished || Session.Continues(cancellation))
        {
            if (!Session.IsUnfinished)
                Update(batches, [.. Enumerable.Range(0, options.BatchSize).Select(i => order[Session.DataPosition + i])]);
            if (evaluated is not null && Session.EvaluationIsDue)
            {
                var clock = new StepClock();
                Evaluate(evaluated, Session.Metrics);
                clock.Book("evaluation");
                clock.AddTo(Session.Metrics);
            }
            yield return Session.Complete();
        }
    }

    private void Update(PreparedData batches, int[] indices)
    {
        var clock = new StepClock();
        var metrics = new Dictionary<string, double>();
        double loss;
        using var start = Session.Start();
        try
        {
            BeforeStep(Session.Step);
            loss = Train(batches, indices, metrics, clock);
        }
        catch
        {
            Session.Undo(start);
            throw;
        }
        clock.AddTo(metrics);
        Session.Count(loss, metrics, indices.Length);
    }

    private double Train(PreparedData batches, int[] indices, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var batch = batches.Batch(indices);
        clock.Book("batch");
        int size = Session.Ranks.PartSize(batch.Rows, options.MicroBatchSize);
        var means = new MetricMeans();
        // In every step: who reads the reports may have evaluated the model in between.
        model.train();
        Complete(batch);
        var update = Session.Optimization.Update(
            (int)(((long)batch.Rows + size - 1) / size),
            part =>
            {
                int start = (int)((long)part * size);
                return Loss(batch, start, Math.Min(size, batch.Rows - start), means);
            },
            means
        );
        clock.Book("update");
        means.AddTo(metrics);
        update.AddTo(metrics);
        metrics["tokens_per_second"] = batch.Tokens / clock.Total;
        return update.Loss;
    }

    private void Evaluate(PreparedData batches, Dictionary<string, double> metrics)
    {
        using var mode = no_grad();
        var means = new MetricMeans();
        var parts = new PartTable(Session.Ranks, means);
        model.eval();
        for (int start = 0; start < batches.Count; start += options.BatchSize)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(options.BatchSize, batches.Count - start);
            var batch = batches.Batch([.. Enumerable.Range(start, count)]);
            int size = Session.Ranks.PartSize(batch.Rows, options.MicroBatchSize);
            Complete(batch);
            for (int row = 0; row < batch.Rows; row += size)
                parts.Add(row, at => Loss(batch, at, Math.Min(size, batch.Rows - at), means).ToDouble());
            parts.EndBatch(batch.Denominator);
        }
        parts.AddUp();
        means.AddTo(metrics, "eval/");
    }

    /// <summary>A data set as batches, without the examples that were left out.</summary>
    /// <param name="Batches">Makes a batch of examples by their indices in the data set.</param>
    /// <param name="Kept">Indices of the examples that are used.</param>
    private sealed record PreparedData(Func<IReadOnlyList<int>, TBatch> Batches, int[] Kept)
    {
        internal int Count => Kept.Length;

        /// <summary>Returns a batch of used examples, by their places among them.</summary>
        internal TBatch Batch(IReadOnlyList<int> places) => Batches([.. places.Select(place => Kept[place])]);
    }
}
