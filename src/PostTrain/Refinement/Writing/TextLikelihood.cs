using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Refinement.Writing;

/// <summary>log π(text | prompt), in batches, without gradients and dropout.</summary>
internal static class TextLikelihood
{
    /// <summary>Of each text the sum of its tokens' log-probabilities, and how many there are.</summary>
    internal static (double Sum, int Tokens)[] Of(
        CausalLm model,
        ITokenizer tokenizer,
        IReadOnlyList<(MarkedText Prompt, string Text, bool Ends)> texts,
        int batchSize,
        CancellationToken cancellation
    )
    {
        TokenExample[] examples =
        [
            .. texts.Select(
                (text, i) => TokenExample.Of(text.Prompt, text.Text, tokenizer, text.Ends).Fitting(model.ContextLength, $"completions[{i}]")
            ),
        ];
        var likelihoods = new (double, int)[examples.Length];
        bool training = model.training;
        model.eval();
        try
        {
            using var mode = no_grad();
            foreach (var part in Enumerable.Range(0, examples.Length).OrderBy(i => examples[i].Ids.Length).Chunk(batchSize))
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                TokenExample[] rows = [.. part.Select(i => examples[i])];
                var scores = SequenceScores.Of(model, SequenceBatch.Of(rows, tokenizer.PaddingId));
                double[] sums = Values(scores.LogProbs.to_type(ScalarType.Float64).sum(1L)),
                    counts = Values(scores.Mask.to_type(ScalarType.Float64).sum(1L));
                for (int row = 0; row < part.Length; row++)
                    likelihoods[part[row]] = (sums[row], (int)counts[row]);
            }
        }
        finally
        {
            model.train(training);
        }
        return likelihoods;
    }

    private static double[] Values(Tensor tensor) => [.. tensor.cpu().contiguous().data<double>()];
}
