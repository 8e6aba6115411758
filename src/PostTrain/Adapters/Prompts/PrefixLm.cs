using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>Prefix tuning and P-Tuning v2: trainable keys and values of n virtual positions before the row, in every layer.</summary>
/// <remarks>
/// <para>Li and Liang 2021, arXiv:2101.00190 (with a <see cref="PrefixProjection"/>); Liu et al. 2022, arXiv:2110.07602 (a <see
/// cref="PromptTable"/>). Attention uses the keys directly, without rotary embedding, as in PEFT. The real tokens have the positions from n
/// on.</para>
/// <para>A row of the encoder holds one virtual position in PEFT's layout: for each layer the key, then the value, each with key-value
/// heads · head size numbers.</para>
/// </remarks>
public sealed class PrefixLm : PromptedLm
{
    private readonly Decoder decoder;

    /// <summary>Creates a prefixed model.</summary>
    /// <param name="model">The model, frozen from here on; owned by the caller.</param>
    /// <param name="encoder">Its width is <see cref="WidthFor"/> the model, its length at most the context length minus 1. Owned by the new
    /// model.</param>
    /// <exception cref="ArgumentException">The encoder does not fit the model.</exception>
    public PrefixLm(Decoder model, PromptEncoder encoder)
        : base(nameof(PrefixLm), model, encoder, model is null ? 0 : WidthFor(model))
    {
        decoder = model!;
        if (encoder.Length >= decoder.ContextLength)
            throw new ArgumentException(
                $"The prefix has {encoder.Length} virtual positions, expected at most {decoder.ContextLength - 1}, one less than "
                    + "the model's context.",
                nameof(encoder)
            );
    }

    /// <summary>The model's context without the prefix.</summary>
    public override int ContextLength => decoder.ContextLength - Encoder.Length;

    /// <summary>Returns the width of a virtual position in a model: 2 · layers · key-value heads · head size.</summary>
    public static int WidthFor(Decoder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return checked(2 * model.Config.Layers * model.Config.KeyValueHeads * model.Config.HeadSize);
    }

    /// <summary>Creates the prefix of a text: its keys and values as the model computes them. The prefixed model then gives the model's
    /// results after that text, up to rounding.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokens">The text's ids, at least one.</param>
    public static PromptTable FromTokens(Decoder model, IReadOnlyList<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokens);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var cache = model.NewCache(1, tokens.Count);
        model.Hidden(tensor(tokens.Select(id => (long)id).ToArray(), [1, tokens.Count]), cache: cache);
        // [2L,H,n,Dh] to [n,2L·H·Dh].
        return new PromptTable(cat([.. cache.Contents()], 0).permute(2, 0, 1, 3).reshape(tokens.Count, WidthFor(model)));
    }

    /// <inheritdoc/>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        CheckCache(cache);
        using var mode = cache is null ? null : no_grad();
        using var scope = NewDisposeScope();
        var mask = WithPrompt(attentionMask, Encoder.Length);
        var prefix = cache is { Held: > 0 } ? null : Prefix(embeddings);
        return decoder.HiddenAfter(prefix, embeddings, mask, cache).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity) => NewCacheWithPrompt(batch, capacity);

    private KeyValuePrefix Prefix(Tensor like)
    {
        var config = decoder.Config;
        return new KeyValuePrefix(
            Rows(like).reshape(Encoder.Length, 2L * config.Layers, config.KeyValueHeads, config.HeadSize).permute(1, 2, 0, 3)
        );
    }
}
