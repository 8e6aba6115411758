using PostTrain.Text;

namespace PostTrain.Text.Chat;

/// <summary>A conversation as one text.</summary>
/// <param name="Text">The text, marked as rendered: special tokens are written out in it, so a tokenizer does not add them again.</param>
/// <param name="AssistantSpans">Where the assistant speaks, in order; null where the template does not mark it
/// (<c>{% generation %}</c>): see <see cref="ChatTemplate.RenderByPrefixes"/>.</param>
public sealed record RenderedChat(MarkedText Text, IReadOnlyList<TextSpan>? AssistantSpans)
{
    /// <summary>The text. As a prompt, or as part of one, it is encoded as <see cref="Encode"/> does.</summary>
    public MarkedText Text { get; init; } = Text with { IsRendered = true };

    /// <summary>The text's tokens, and which of them the assistant spoke.</summary>
    /// <remarks>A token counts when any of its characters lies in a span. transformers' <c>assistant_masks</c> are the same wherever both
    /// ends of a span lie in tokens; where the first does not, transformers marks nothing, where the last does not, everything up to the
    /// end.</remarks>
    /// <param name="tokenizer">A tokenizer that says where in the text a token comes from.</param>
    public EncodedChat Encode(IOffsetTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var encoding = tokenizer.EncodeWithOffsets(Text, addSpecialTokens: false);
        return new EncodedChat(encoding.Ids, AssistantSpans is null ? null : Mask(encoding.Offsets, AssistantSpans));
    }

    private static bool[] Mask((int Start, int End)[] offsets, IReadOnlyList<TextSpan> spans)
    {
        var mask = new bool[offsets.Length];
        var next = 0;
        // Both are in the order of the text, so one walk over them is enough.
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
