using PostTrain.Supervised;

namespace PostTrain.Preference;

/// <summary>A judged completion as token ids.</summary>
internal readonly record struct KtoExample(TokenExample Text, bool Desirable)
{
    /// <summary>This prompt with the other example's completion, cut where the model's context ends: what KTO's reference point is estimated on.</summary>
    internal TokenExample Mismatched(KtoExample other, int contextLength)
    {
        var prompt = Text.Ids.AsSpan(0, Text.PromptLength);
        var completion = other.Text.Ids.AsSpan(other.Text.PromptLength);
        int room = Math.Min(completion.Length, contextLength + 1 - prompt.Length);
        return new TokenExample([.. prompt, .. completion[..room]], Text.PromptLength);
    }
}
