using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>The negative log-likelihood of given completions, a mean over their tokens, with a prompt before each text: −(1/Σm) Σ m·log π(y
/// | prompt, x, y before).</summary>
/// <remarks>The same function of embeddings as <see cref="SoftPromptLm"/>: the loss of a discrete prompt equals that of the soft prompt
/// with its embeddings.</remarks>
public sealed class CompletionObjective : PromptObjective
{
    private readonly CausalLm model;
    private readonly Tensor table;
    private readonly Tensor texts;
    private readonly Tensor targets;
    private readonly Tensor attention;
    private readonly Tensor counted;
    private readonly int rowsAtATime;

    /// <param name="model">The model, used unchanged; owned by the caller.</param>
    /// <param name="examples">Ids of prompt and completion; at least one example, with at least one completion token each.</param>
    /// <param name="rowsAtATime">Maximum number of rows (prompts × examples) of one forward pass, to bound memory; at least one prompt is
    /// processed at a time.</param>
    /// <exception cref="ArgumentException">There is no example, or a completion is empty.</exception>
    public CompletionObjective(CausalLm model, IReadOnlyList<(int[] Prompt, int[] Completion)> examples, int rowsAtATime = 256)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(examples);
        Guard.AtLeast(rowsAtATime, 1, nameof(rowsAtATime));
        if (examples.Count == 0)
            throw new ArgumentException("examples is empty, expected at least one.", nameof(examples));
        (this.model, this.rowsAtATime) = (model, rowsAtATime);
        var columns = examples.Max(example => example.Prompt.Length + example.Completion.Length);
        var (ids, mask, loss) = (new long[examples.Count, columns], new long[examples.Count, columns], new double[examples.Count, columns]);
        for (var row = 0; row < examples.Count; row++)
        {
            var (prompt, completion) = examples[row];
            if (completion.Length == 0)
                throw new ArgumentException($"examples[{row}] has an empty completion, expected at least one token.", nameof(examples));
            for (var t = 0; t < prompt.Length + completion.Length; t++)
                (ids[row, t], mask[row, t], loss[row, t]) = (
                    t < prompt.Length ? prompt[t] : completion[t - prompt.Length],
                    1,
                    t < prompt.Length ? 0 : 1
                );
        }

        using var mode = no_grad();
        using var scope = NewDisposeScope();
        targets = tensor(ids).DetachFromDisposeScope();
        attention = tensor(mask).DetachFromDisposeScope();
        texts = model.Embed(targets).DetachFromDisposeScope();
        counted = tensor(loss).to_type(texts.dtype).DetachFromDisposeScope();
        table = model.Embed(arange(model.VocabularySize, dtype: ScalarType.Int64).unsqueeze(0)).squeeze(0).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Embeddings => table;

    /// <summary>Creates the objective of demonstrations: the loss covers the completion and, if the tokenizer has one, the end of the
    /// sequence.</summary>
    public static CompletionObjective Of(
        CausalLm model,
        ITokenizer tokenizer,
        IReadOnlyList<Demonstration> demonstrations,
        int rowsAtATime = 256
    )
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(demonstrations);
        return new CompletionObjective(
            model,
            [
                .. demonstrations.Select(item =>
                {
                    // As in fine-tuning.
                    var encoding = CompletionTokens.Of(item.Prompt, item.Completion, tokenizer, appendEnd: true);
                    if (encoding.Learnt is not null)
                        throw new ArgumentException(
                            "a demonstration has a completion of which only spans are learnt, expected completions that are learnt whole",
                            nameof(demonstrations)
                        );
                    return (encoding.Ids[..encoding.PromptLength], encoding.Ids[encoding.PromptLength..]);
                }),
            ],
            rowsAtATime
        );
    }

    /// <inheritdoc/>
    public override Tensor Losses(Tensor prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        if (prompts.Dimensions != 3 || prompts.size(0) == 0 || prompts.size(1) == 0 || prompts.size(2) != table.size(1))
            throw new ArgumentException(
                $"prompts has the shape [{string.Join(",", prompts.shape)}], expected [C,n,{table.size(1)}] with C and n positive.",
                nameof(prompts)
            );
        using var scope = NewDisposeScope();
        var (count, atATime) = (prompts.size(0), Math.Max(1, rowsAtATime / texts.size(0)));
        var parts = new List<Tensor>();
        for (long start = 0; start < count; start += atATime)
        {
            using var part = NewDisposeScope();
            parts.Add(Some(prompts.narrow(0, start, Math.Min(atATime, count - start))).MoveToOuterDisposeScope());
        }

        return cat(parts, 0).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        foreach (var tensor in new[] { table, texts, targets, attention, counted })
            tensor.Dispose();
    }

    // The last position of the prompt predicts the first token of the text.
    private Tensor Some(Tensor prompts)
    {
        var (count, length, rows, columns) = (prompts.size(0), prompts.size(1), texts.size(0), texts.size(1));
        var before = prompts.unsqueeze(1).expand(count, rows, length, -1).reshape(count * rows, length, -1);
        var inputs = cat([before, texts.repeat(count, 1, 1)], 1).narrow(1, 0, length + columns - 1);
        var mask = cat([ones([rows, length], dtype: ScalarType.Int64), attention], 1).narrow(1, 0, length + columns - 1).repeat(count, 1);
        var hidden = model.HiddenFromEmbeddings(inputs, mask).narrow(1, length - 1, columns);
        var weights = counted.repeat(count, 1);
        var logProbs = TokenLogProbs.Gather(model.Project(hidden).AtLeastSingle(), targets.repeat(count, 1), weights);
        return (logProbs * weights).reshape(count, rows * columns).sum(1).neg() / counted.sum();
    }
}
