using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>
/// P-tuning with virtual tokens at any position, T = {[P₀:ᵢ], x, [Pᵢ₊₁:ₘ], y}: the ids V, V+1, ..., V+n−1 in a text select the rows of the
/// prompt.
/// </summary>
/// <remarks>Liu et al. 2021, arXiv:2103.10385, section 2.1. A template is thus a list of ids, and the texts of a batch can have different
/// ones. Virtual ids are inputs only: logits have V entries. <see cref="PromptTemplate"/> and <see cref="TemplateTokenizer"/> write the ids
/// into texts. With all virtual tokens in front the result equals <see cref="SoftPromptLm"/>, bit for bit.</remarks>
public sealed class TemplatePromptLm : PromptedLm
{
    /// <summary>Creates a model with n additional input ids.</summary>
    /// <param name="model">The model, frozen from here on; owned by the caller.</param>
    /// <param name="encoder">Its width is the model's hidden size, its length at least 1. Owned by the new model.</param>
    /// <exception cref="ArgumentException">The encoder does not fit the model.</exception>
    public TemplatePromptLm(CausalLm model, PromptEncoder encoder)
        : base(nameof(TemplatePromptLm), model, encoder, model?.HiddenSize ?? 0)
    {
        if (encoder.Length == 0)
            throw new ArgumentException("The encoder has no virtual token, expected at least one.", nameof(encoder));
    }

    /// <summary>The model's context length: virtual tokens in a text count like others.</summary>
    public override int ContextLength => Base.ContextLength;

    /// <summary>V + n: texts can contain virtual ids too.</summary>
    public override int InputVocabularySize => Base.VocabularySize + Encoder.Length;

    /// <inheritdoc/>
    public override Tensor Embed(Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        using var scope = NewDisposeScope();
        var isVirtual = ids.ge(Base.VocabularySize);
        var known = Base.Embed(ids.masked_fill(isVirtual, 0));
        // With a cache all calls but the first read real tokens only, and the encoder may be a network.
        if (!isVirtual.any().ToBoolean())
            return known.MoveToOuterDisposeScope();
        var row = ids.sub(Base.VocabularySize).clamp_min(0).reshape(-1);
        if (row.max().ToInt64() is var last && last >= Encoder.Length)
            throw new ArgumentException(
                $"ids holds {last + Base.VocabularySize}, expected ids from 0 to {InputVocabularySize - 1}, virtual ones included.",
                nameof(ids)
            );
        var rows = Rows(known).index_select(0, row).reshape(known.shape);
        return where(isVirtual.unsqueeze(-1), rows, known).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null) =>
        Base.HiddenFromEmbeddings(embeddings, attentionMask, cache);

    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity) => Base.NewCache(batch, capacity);
}
