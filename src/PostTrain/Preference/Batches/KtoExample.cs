using PostTrain.Data.Batches;

namespace PostTrain.Preference.Batches;

/// <summary>A judged completion as token ids.</summary>
internal readonly record struct KtoExample(TokenExample Text, bool Desirable)
{
    /// <summary>Whether the other example answers another prompt.</summary>
    internal bool HasAnotherPrompt(KtoExample other) => !Prompt.SequenceEqual(other.Prompt);

    /// <summary>Whether the other example's completion is another one, whatever its prompt.</summary>
    internal bool Differs(KtoExample other) => !Completion.SequenceEqual(other.Completion);

    /// <summary>This prompt with the other example's completion, cut where the model's context ends: what KTO's reference point is
    /// estimated on.</summary>
    internal TokenExample Mismatched(KtoExample other, int contextLength)
    {
        var prompt = Prompt;
        var completion = other.Completion;
        int room = Math.Min(completion.Length, contextLength + 1 - prompt.Length);
        return new TokenExample([.. prompt, .. completion[..room]], Text.PromptLength);
    }

    /// <summary>The example whose completion the prompt of one is paired with: of the batch as far as it has one, so that an epoch pairs
    /// all completions alike; else of the data.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="place">Where the example is in the batch.</param>
    /// <param name="data">The data set.</param>
    /// <param name="index">Where it is in the data set.</param>
    internal static KtoExample Partner(KtoExample[] batch, int place, KtoExample[] data, int index)
    {
        var example = batch[place];
        var all = After(batch, place).Concat(After(data, index));
        return all.FirstOrDefault(other => example.HasAnotherPrompt(other) && example.Differs(other), all.FirstOrDefault(example.Differs));

        static IEnumerable<KtoExample> After(KtoExample[] from, int start) =>
            Enumerable.Range(1, from.Length - 1).Select(i => from[(start + i) % from.Length]);
    }

    private ReadOnlySpan<int> Prompt => Text.Ids.AsSpan(0, Text.PromptLength);

    private ReadOnlySpan<int> Completion => Text.Ids.AsSpan(Text.PromptLength);
}
