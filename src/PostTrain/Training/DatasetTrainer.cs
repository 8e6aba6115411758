using PostTrain.Data;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A trainer on a fixed data set: the order of examples, batches, gradient accumulation, evaluation, checkpoints.</summary>
/// <remarks>
/// Each step reads <see cref="TrainingOptions.BatchSize"/> examples in an order that the seed decides. The gradient does not depend on how
/// the batch is cut into micro-batches. Metrics of every such trainer: <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c>,
/// <c>time/batch</c>, <c>time/update</c>, <c>time/evaluation</c>, and of an evaluation <c>eval/loss</c> and the objective's own metrics
/// under <c>eval/</c>.
/// </remarks>
/// <typeparam name="TExample">A record of the data set.</typeparam>
public abstract class DatasetTrainer<TExample> : IDisposable
{
    private readonly nn.Module model;
    private readonly TrainingOptions options;
    private readonly TrainingSession session;

    private protected DatasetTrainer(nn.Module model, TrainingOptions options, ITrainerState? state = null)
    {
        this.model = model;
        this.options = options;
        session = new TrainingSession(model, options, state: () => state);
    }

    /// <summary>Steps done.</summary>
    public long StepsDone => session.Step;

    /// <summary>Writes a checkpoint of the steps done, also in a loop of one's own; <see cref="Resume"/> goes on from it.</summary>
    /// <param name="directory">Parent of the checkpoint's directory; made if it is missing.</param>
    /// <returns>Path of the checkpoint, <c>directory/checkpoint-STEP</c>.</returns>
    public string SaveCheckpoint(string directory) => session.Save(directory);

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and data.</summary>
    public void Resume(string checkpoint) => session.Resume(checkpoint);

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="data">The examples; at least one.</param>
    /// <param name="evaluation">Examples that <see cref="TrainingOptions.Evaluation"/> judges the model by; null for none.</param>
    /// <param name="cancellation">Looked at between steps; leaves a checkpoint (where a directory is given) and throws.</param>
    /// <exception cref="ArgumentException">The data are empty, or an example does not fit the model's context.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    /// <remarks>A step is counted as soon as its update is made. When an evaluation, an observer or a checkpoint throws after that, a
    /// further call goes on behind the update, and first makes up for an
    /// evaluation that is missing; its weights are those of a run that nothing interrupted.</remarks>
    public IEnumerable<StepReport> Run(
        IReadOnlyList<TExample> data,
        IReadOnlyList<TExample>? evaluation = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(data);
        options.Evaluation.CheckData(evaluation is not null, nameof(evaluation));
        var prepared = Prepared(data, nameof(data));
        return Steps(prepared, evaluation is null ? null : Prepared(evaluation, nameof(evaluation)), cancellation);
    }

    /// <summary>One step on a batch of the caller's choice, for a loop of one's own: loss, gradient, update, report.</summary>
    /// <param name="batch">The examples; at least one. <see cref="TrainingOptions.BatchSize"/> is not looked at.</param>
    public StepReport Step(IReadOnlyList<TExample> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var prepared = Prepared(batch, nameof(batch));
        session.Begin();
        Update(prepared, [.. Enumerable.Range(0, batch.Count)]);
        return session.Complete();
    }

    /// <summary>Loss and metrics of examples as the model is now: <c>eval/loss</c> and the objective's metrics. Nothing is
    /// trained.</summary>
    public IReadOnlyDictionary<string, double> Evaluate(IReadOnlyList<TExample> data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var metrics = new Dictionary<string, double>();
        Evaluate(Prepared(data, nameof(data)), metrics);
        return metrics;
    }

    /// <summary>Gives the optimiser's state back; the model stays with the caller.</summary>
    public void Dispose()
    {
        session.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Turns examples into token ids; an error names the example as NAME[index].</summary>
    private protected abstract PreparedData Prepare(IReadOnlyList<TExample> data, string name);

    /// <summary>Called before a step's loss, e.g. to move a reference.</summary>
    private protected virtual void BeforeStep(long step) { }

    private PreparedData Prepared(IReadOnlyList<TExample> data, string name) =>
        data.Count > 0 ? Prepare(data, name) : throw new ArgumentException($"{name} holds no example, expected at least one", name);

    private IEnumerable<StepReport> Steps(PreparedData data, PreparedData? evaluation, CancellationToken cancellation)
    {
        var order = new ShuffledOrder(data.Count, options.Seed);
        session.Begin();
        while (session.IsUnfinished || session.Continues(cancellation))
        {
            if (!session.IsUnfinished)
                Update(data, [.. Enumerable.Range(0, options.BatchSize).Select(i => order[session.DataPosition + i])]);
            yield return Finish(evaluation);
        }
    }

    private void Update(PreparedData data, int[] indices)
    {
        var clock = new StepClock();
        var metrics = new Dictionary<string, double>();
        double loss;
        using var start = session.Start();
        try
        {
            BeforeStep(session.Step);
            loss = Train(data, indices, metrics, clock);
        }
        catch
        {
            session.Undo(start);
            throw;
        }
        clock.AddTo(metrics);
        session.Count(loss, metrics, indices.Length);
    }

    private StepReport Finish(PreparedData? evaluation)
    {
        if (evaluation is not null && session.EvaluationIsDue)
        {
            var clock = new StepClock();
            Evaluate(evaluation, session.Metrics);
            clock.Book("evaluation");
            clock.AddTo(session.Metrics);
        }
        return session.Complete();
    }

    private double Train(PreparedData data, int[] indices, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var batch = data.Batch(indices);
        clock.Book("batch");
        int size = options.MicroBatchSize ?? batch.Rows;
        var means = new MetricMeans();
        // In every step: who reads the reports may have evaluated the model in between.
        model.train();
        var update = session.Optimization.Update(
            (int)(((long)batch.Rows + size - 1) / size),
            part =>
            {
                int start = (int)((long)part * size);
                return batch.Loss(start, Math.Min(size, batch.Rows - start), means);
            }
        );
        clock.Book("update");
        means.AddTo(metrics);
        metrics["learning_rate"] = update.LearningRate;
        metrics["grad_norm"] = update.GradNorm;
        metrics["tokens_per_second"] = batch.Tokens / clock.Total;
        return update.Loss;
    }

    private void Evaluate(PreparedData data, Dictionary<string, double> metrics)
    {
        using var mode = no_grad();
        var means = new MetricMeans();
        model.eval();
        for (int start = 0; start < data.Count; start += options.BatchSize)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(options.BatchSize, data.Count - start);
            var batch = data.Batch([.. Enumerable.Range(start, count)]);
            int size = options.MicroBatchSize ?? batch.Rows;
            double loss = 0;
            for (int row = 0; row < batch.Rows; row += size)
                loss += batch.Loss(row, Math.Min(size, batch.Rows - row), means).ToDouble();
            means.Add("loss", loss, batch.Weight);
        }
        means.AddTo(metrics, "eval/");
    }
}
