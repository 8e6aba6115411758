using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Data.Text;
using PostTrain.Models;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Supervised fine-tuning: makes given completions of given prompts likely.</summary>
/// <remarks>
/// Each step reads <see cref="TrainingOptions.BatchSize"/> examples in an order that the seed decides and takes one AdamW step on
/// the loss of the completions' tokens. The gradient does not depend on how the batch is cut into micro-batches.
/// Metrics: <c>loss</c>, <c>accuracy</c> (share of tokens that were the most likely), <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c>.
/// </remarks>
public sealed class SftTrainer : IDisposable
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly SftOptions options;
    private readonly TrainingSession session;

    /// <param name="model">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SftTrainer(CausalLm model, ITokenizer tokenizer, SftOptions options)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
        session = new TrainingSession(model, options);
    }

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and data.</summary>
    public void Resume(string checkpoint) => session.Resume(checkpoint);

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="data">The examples; at least one.</param>
    /// <param name="cancellation">Looked at between steps; leaves a checkpoint (where a directory is given) and throws.</param>
    /// <exception cref="ArgumentException">The data are empty, or an example does not fit the model's context.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public IEnumerable<StepReport> Run(IReadOnlyList<Demonstration> data, CancellationToken cancellation = default)
    {
        if (data.Count == 0) throw new ArgumentException("data holds no example, expected at least one", nameof(data));
        return Steps([.. Enumerable.Range(0, data.Count).Select(index => Tokenize(data, index))], cancellation);
    }

    /// <summary>Gives the optimiser's state back; the model stays with the caller.</summary>
    public void Dispose() => session.Dispose();

    private IEnumerable<StepReport> Steps(TokenExample[] examples, CancellationToken cancellation)
    {
        var order = new ShuffledOrder(examples.Length, options.Seed);
        session.Begin();
        while (session.Continues(cancellation))
            yield return Step([.. Enumerable.Range(0, options.BatchSize).Select(i => examples[order[session.DataPosition + i]])]);
    }

    private StepReport Step(TokenExample[] examples)
    {
        var watch = Stopwatch.StartNew();
        using var scope = NewDisposeScope();
        var batch = SupervisedBatch.Of(examples, tokenizer.PaddingId);
        double denominator = options.Aggregation.Denominator(batch.LossMask);
        double tokens = batch.LossMask.sum().ToDouble(), hits = 0;
        int size = options.MicroBatchSize ?? examples.Length;
        // In every step: who reads the reports may have evaluated the model in between.
        model.train();
        var update = session.Optimization.Update((examples.Length + size - 1) / size, part =>
        {
            var rows = batch.Rows((long)part * size, size);
            var logits = model.Project(model.Hidden(rows.Inputs, rows.AttentionMask));
            var loss = SupervisedLosses.NegativeLogLikelihood(logits, rows.Targets, rows.LossMask, options.Aggregation, denominator);
            hits += loss.Accuracy.ToDouble() * rows.LossMask.sum().ToDouble();
            return loss.Loss;
        });
        session.DataPosition += examples.Length;
        return session.Complete(update.Loss, new Dictionary<string, double>
        {
            ["accuracy"] = tokens > 0 ? hits / tokens : 0,
            ["learning_rate"] = update.LearningRate,
            ["grad_norm"] = update.GradNorm,
            ["tokens_per_second"] = batch.AttentionMask.sum().ToDouble() / watch.Elapsed.TotalSeconds,
        });
    }

    private TokenExample Tokenize(IReadOnlyList<Demonstration> data, int index)
    {
        var example = data[index];
        // Encoded together: a tokenizer may begin every text with a token of its own, or join letters across the border.
        var text = tokenizer.Encode(example.Prompt + example.Completion);
        int promptLength = text.AsSpan().CommonPrefixLength(tokenizer.Encode(example.Prompt));
        int[] end = options.AppendEndOfSequence && tokenizer.EndOfSequenceId is { } id ? [id] : [];
        int[] ids = [.. text, .. end];
        // The last token is only predicted, never read, so it may stand one place beyond the context.
        if (ids.Length > model.ContextLength + 1)
            throw new ArgumentException($"data[{index}] has {ids.Length} tokens ({promptLength} of them its prompt), expected at most {model.ContextLength + 1}, one more than the model's context", nameof(data));
        if (ids.Length < 2)
            throw new ArgumentException($"data[{index}] has {ids.Length} tokens, expected at least 2", nameof(data));
        return new TokenExample(ids, Math.Max(promptLength, 1));
    }
}
