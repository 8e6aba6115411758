using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Sizes of the samples' small decoders: two layers of four heads.</summary>
public static class SmallDecoder
{
    /// <summary>A decoder whose completions end with the tokenizer's end of sequence.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="context">The model's context in tokens.</param>
    /// <param name="width">Size of the hidden states.</param>
    /// <param name="inner">Size of the feed-forward layers.</param>
    public static DecoderConfig Of(ITokenizer tokenizer, int context, int width = 64, int inner = 192)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Sizes(tokenizer, context, width, inner) with
        {
            EndOfSequenceIds = [tokenizer.EndOfSequenceId!.Value],
            PaddingId = tokenizer.PaddingId,
        };
    }

    /// <summary>A decoder whose output has weights of its own: a narrow one that shares them with the embedding learns slowly.</summary>
    /// <inheritdoc cref="Of"/>
    public static DecoderConfig Untied(ITokenizer tokenizer, int context, int width, int inner)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Sizes(tokenizer, context, width, inner) with { TiedEmbeddings = false };
    }

    private static DecoderConfig Sizes(ITokenizer tokenizer, int context, int width, int inner) =>
        new()
        {
            VocabularySize = tokenizer.VocabularySize,
            ContextLength = context,
            HiddenSize = width,
            Layers = 2,
            Heads = 4,
            FeedForwardSize = inner,
        };
}
