using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>The likelihood of demonstrations as a term of another loss.</summary>
internal sealed class PtxTerm
{
    private readonly PtxOptions options;
    private readonly SftData data;
    private readonly ShuffledOrder order;

    internal PtxTerm(CausalLm policy, ITokenizer tokenizer, PtxOptions options, ulong seed)
    {
        this.options = options;
        TokenExample[] examples =
        [
            .. options.Demonstrations.Select(
                (demonstration, i) =>
                    TokenExample.Of(
                        demonstration.Prompt,
                        demonstration.Completion,
                        tokenizer,
                        options.AppendEndOfSequence,
                        policy.ContextLength,
                        $"Demonstrations[{i}]",
                        nameof(options.Demonstrations)
                    )
            ),
        ];
        data = new SftData(examples, policy, tokenizer.PaddingId, new SftOptions());
        order = new ShuffledOrder(examples.Length, seed);
    }

    /// <summary>The demonstrations of an update, a function of its number.</summary>
    internal TrainingBatch Batch(long update) =>
        data.Batch([.. Enumerable.Range(0, options.BatchSize).Select(i => order[update * options.BatchSize + i])]);

    /// <summary>γ times the share that some rows have in the batch's mean cross-entropy.</summary>
    internal Tensor Loss(TrainingBatch batch, int start, int count, int parts, MetricMeans means)
    {
        var share = batch.Loss(start, Math.Min(count, batch.Rows - start), means);
        means.AddShare("loss", share, parts);
        return share * options.Coefficient;
    }
}
