using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A trainer on a fixed data set, as a program uses it. A trainer of one's own derives from
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

    /// <summary>Writes a checkpoint of the steps done, also in a loop of one's own; <see cref="Resume"/> goes on from it.</summary>
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

    /// <summary>One step on a batch of the caller's choice, for a loop of one's own: loss, gradient, update, report.</summary>
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
