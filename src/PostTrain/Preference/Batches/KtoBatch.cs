using PostTrain.Data.Batches;
using static TorchSharp.torch;

namespace PostTrain.Preference.Batches;

/// <summary>Judged completions side by side, and the same prompts with one another's completions for KTO's reference point.</summary>
/// <param name="Sequences">[B,T], prompts and their completions.</param>
/// <param name="Mismatched">[B,T'], the same prompts with other examples' completions.</param>
/// <param name="Desirable">[B], bool; true for desirable completions.</param>
public sealed record KtoBatch(SequenceBatch Sequences, SequenceBatch Mismatched, Tensor Desirable) : ITrainingBatch
{
    /// <summary>Precomputed log-probs of the completions under the reference, [1,B], float64.</summary>
    /// <value>Null by default: the reference runs in the step.</value>
    public Tensor? ReferenceLogProbs { get; init; }

    /// <inheritdoc/>
    public int Rows => Sequences.Rows;

    /// <inheritdoc/>
    public double Tokens => Sequences.Tokens;

    /// <summary>Completions.</summary>
    public double Denominator => Rows;

    /// <summary>z₀ of the whole batch, before its first update; null until it is known.</summary>
    internal double? ReferencePoint { get; set; }
}

/// <summary>A judged completion as token ids.</summary>
internal readonly record struct KtoExample(TokenExample Text, bool Desirable)
{
    /// <summary>Returns true if the other example has another prompt.</summary>
    internal bool HasAnotherPrompt(KtoExample other) => !Prompt.SequenceEqual(other.Prompt);

    /// <summary>Returns true if the other example has another completion, with any prompt.</summary>
    internal bool Differs(KtoExample other) => !Completion.SequenceEqual(other.Completion);

    /// <summary>Returns this prompt with the other example's completion, cut at the model's context: an input of KTO's reference
    /// point.</summary>
    internal TokenExample Mismatched(KtoExample other, int contextLength)
    {
        var prompt = Prompt;
        var completion = other.Completion;
        int room = Math.Min(completion.Length, contextLength + 1 - prompt.Length);
        var learnt =
            Text.Learnt is null && other.Text.Learnt is null
                ? null
                : Enumerable
                    .Repeat(false, prompt.Length)
                    .Concat(Enumerable.Range(other.Text.PromptLength, room).Select(other.Text.Learns))
                    .ToArray();
        return new TokenExample([.. prompt, .. completion[..room]], Text.PromptLength) { Learnt = learnt };
    }

    /// <summary>Selects the example whose completion is paired with the prompt of an example: from the batch if possible, so that an epoch
    /// uses all completions equally often; otherwise from the data set.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="place">Index of the example in the batch.</param>
    /// <param name="data">The data set.</param>
    /// <param name="index">Index of the example in the data set.</param>
    internal static KtoExample Partner(KtoExample[] batch, int place, KtoExample[] data, int index)
    {
        var example = batch[place];
        var all = After(batch, place).Concat(After(data, index));
        return all.FirstOrDefault(other => example.HasAnotherPrompt(other) && example.Differs(other), all.FirstOrDefault(example.Differs));

        static IEnumerable<KtoExample> After(KtoExample[] from, int start) =>
            Enumerable.Range(1, from.Length - 1).Select(i => from[(start + i) % from.Length]).Where(other => other.Text.HasLearnt);
    }

    private ReadOnlySpan<int> Prompt => Text.Ids.AsSpan(0, Text.PromptLength);

    private ReadOnlySpan<int> Completion => Text.Ids.AsSpan(Text.PromptLength);
}
