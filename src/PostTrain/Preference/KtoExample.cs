using PostTrain.Supervised;

namespace PostTrain.Preference;

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

    private ReadOnlySpan<int> Prompt => Text.Ids.AsSpan(0, Text.PromptLength);

    private ReadOnlySpan<int> Completion => Text.Ids.AsSpan(Text.PromptLength);
}
