using PostTrain.Text;

namespace PostTrain.Text.Chat;

/// <summary>A rendered conversation.</summary>
/// <param name="Text">The text, marked as rendered: it contains its special tokens, so a tokenizer does not add them again.</param>
/// <param name="AssistantSpans">The assistant's spans in order; null if the template does not mark them with <c>{% generation %}</c>: see
/// <see cref="ChatTemplate.RenderByPrefixes"/>.</param>
public sealed record RenderedChat(MarkedText Text, IReadOnlyList<TextSpan>? AssistantSpans)
{
    /// <summary>The text. As a prompt or part of one it is encoded as by <see cref="Encode"/>.</summary>
    public MarkedText Text { get; init; } = Text with { IsRendered = true };

    /// <summary>Encodes the text and marks the assistant's tokens.</summary>
    /// <remarks>A token is marked if any of its characters lies in a span. The mask equals transformers' <c>assistant_masks</c> if both
    /// ends of a span lie in tokens. If the start does not, transformers marks nothing of the span; if the end does not, it marks
    /// everything up to the end of the text.</remarks>
    /// <param name="tokenizer">A tokenizer that gives the offsets of its tokens.</param>
    public EncodedChat Encode(IOffsetTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var encoding = tokenizer.EncodeWithOffsets(Text, addSpecialTokens: false);
        return new EncodedChat(encoding.Ids, AssistantSpans is null ? null : Mask(encoding.Offsets, AssistantSpans));
    }

    /// <summary>Returns true for each token that has a character in a span.</summary>
    internal static bool[] Mask((int Start, int End)[] offsets, IReadOnlyList<TextSpan> spans)
    {
        var mask = new bool[offsets.Length];
        var next = 0;
        // Both are in the order of the text, so one pass suffices.
        for (var token = 0; token < offsets.Length; token++)
        {
            var (start, end) = offsets[token];
            while (next < spans.Count && spans[next].End <= start)
                next++;
            mask[token] = next < spans.Count && start < end && start < spans[next].End && end > spans[next].Start;
        }

        return mask;
    }
}
