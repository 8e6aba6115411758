using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>Prompt tuning and P-tuning with a prompt at the start: h₀ = [P; E(x)], P ∈ R^{n×D} trainable, all other parameters
/// frozen.</summary>
/// <remarks>
/// <para>Lester et al. 2021, arXiv:2104.08691 (a <see cref="PromptTable"/>); Liu et al. 2021, arXiv:2103.10385 (an
/// <see cref="MlpPromptEncoder"/> or <see cref="LstmPromptEncoder"/>). For virtual tokens within a text see
/// <see cref="TemplatePromptLm"/>.</para>
/// <para>The virtual tokens have the positions 0 to n−1, the real ones follow. They are at the start of the row, before its padding. A
/// token's position is the number of real tokens before it, so the result equals that of a prompt between the padding and the first token.
/// With a cache the prompt is processed once.</para>
/// </remarks>
public sealed class SoftPromptLm : PromptedLm
{
    /// <summary>Creates a model with a prompt.</summary>
    /// <param name="model">The model, frozen from here on; owned by the caller.</param>
    /// <param name="encoder">Its width is the model's hidden size, its length at most the context length minus 1. Owned by the new
    /// model.</param>
    /// <exception cref="ArgumentException">The encoder does not fit the model.</exception>
    public SoftPromptLm(CausalLm model, PromptEncoder encoder)
        : base(nameof(SoftPromptLm), model, encoder, model?.HiddenSize ?? 0)
    {
        if (encoder.Length >= model!.ContextLength)
            throw new ArgumentException(
                $"The prompt has {encoder.Length} virtual tokens, expected at most {model.ContextLength - 1}, one less than the "
                    + "model's context.",
                nameof(encoder)
            );
    }

    /// <summary>The model's context without the prompt.</summary>
    public override int ContextLength => Base.ContextLength - Encoder.Length;

    /// <inheritdoc/>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        CheckCache(cache);
        using var mode = cache is null ? null : no_grad();
        using var scope = NewDisposeScope();
        var mask = WithPrompt(attentionMask, Encoder.Length);
        return (
            cache is { Held: > 0 }
                ? Base.HiddenFromEmbeddings(embeddings, mask, cache)
                : Base.HiddenFromEmbeddings(Prompted(embeddings), mask, cache).narrow(1, Encoder.Length, embeddings.size(1))
        ).MoveToOuterDisposeScope();
    }

    /// <summary>Computes logits of the real tokens, [B,T] ids to [B,T,V]; no position is padding.</summary>
    /// <remarks>The output projection covers the prompt's positions too, so that the numbers equal those of the same product after a text,
    /// bit for bit.</remarks>
    /// <exception cref="ArgumentException">The shape is not [B,T], T exceeds the context length, or an id is outside the
    /// vocabulary.</exception>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var all = Base.Project(Base.HiddenFromEmbeddings(Prompted(Embed(input))));
        return all.narrow(1, Encoder.Length, input.size(1)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity) => NewCacheWithPrompt(batch, capacity);

    private Tensor Prompted(Tensor embeddings)
    {
        if (embeddings.Dimensions != 3 || embeddings.size(2) != Encoder.Width)
            throw new ArgumentException(
                $"embeddings have the shape [{string.Join(",", embeddings.shape)}], expected [B,T,{Encoder.Width}].",
                nameof(embeddings)
            );
        return cat([Rows(embeddings).unsqueeze(0).expand(embeddings.size(0), Encoder.Length, Encoder.Width), embeddings], 1);
    }
}
