using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Continued pre-training: makes texts of a domain likely, token by token.</summary>
/// <remarks>
/// Loss: the cross-entropy of the pieces' learnt tokens (<see cref="SupervisedLosses.CrossEntropy"/>). Metrics besides those of
/// <see cref="DatasetTrainer{TExample}"/>: <c>accuracy</c>.
/// <para>Against forgetting: replay, a <see cref="Mixture{T}"/> of pieces of the domain and of earlier texts; or a penalty
/// (<see cref="TrainingOptions.Terms"/>). <see cref="SftOptions.AppendEndOfSequence"/> has no effect: the pieces say where texts
/// end.</para>
/// </remarks>
/// <example><code>
/// var domain = PretrainingText.Pieces(reports, tokenizer, length: 512);
/// var general = PretrainingText.Pieces(articles, tokenizer, length: 512);
/// using var trainer = new PretrainingTrainer(model, tokenizer, new SftOptions { Steps = 1000, LearningRate = 1e-5 });
/// foreach (var report in trainer.Run(new Mixture&lt;TokenExample&gt;([domain, general], [0.9, 0.1])))
///     Console.WriteLine(report);
/// </code></example>
public sealed class PretrainingTrainer : DatasetTrainer<TokenExample, SequenceBatch>
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly SftOptions options;

    /// <param name="model">The trained model: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Its padding token fills batches.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public PretrainingTrainer(CausalLm model, ITokenizer tokenizer, SftOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        (this.model, this.tokenizer, this.options) = (model, tokenizer, options);
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, SequenceBatch> Prepare(IReadOnlyList<TokenExample> data, string name)
    {
        ArgumentNullException.ThrowIfNull(data);
        for (int i = 0; i < data.Count; i++)
            data[i].Fitting(model.ContextLength, $"{name}[{i}]");
        return indices => SftTrainer.Batch([.. indices.Select(index => data[index])], model, tokenizer.PaddingId, options);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(SequenceBatch batch, int start, int count, MetricMeans metrics) =>
        SftTrainer.Loss(model, batch, start, count, metrics, options);
}
