using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>
/// A frozen model with a trainable prompt. It is a model itself for samplers and trainers. Its outputs cover the real tokens only.
/// </summary>
/// <remarks>
/// <para>The constructors freeze the model's parameters: they keep their bytes, and only those of the <see cref="Encoder"/> are trained.
/// The caller owns the model; several prompts can share it. Disposing the prompted model disposes the encoder.</para>
/// <para>In the attention mask (segment map) of a call, 0 is padding and 1 a real token. Packed rows (a segment number above 1) are
/// rejected: the prompt is at the start of a row, where the second sequence would not see it.</para>
/// </remarks>
public abstract class PromptedLm : CausalLm
{
    private const string BaseName = "base";

    private protected PromptedLm(string name, CausalLm model, PromptEncoder encoder, int width)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(encoder);
        if (encoder.Width != width)
            throw new ArgumentException(
                $"The encoder's rows have the width {encoder.Width}, expected {width} for this model.",
                nameof(encoder)
            );
        (Base, Encoder) = (model, encoder);
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        register_module(BaseName, model);
        register_module("prompt", encoder);
    }

    /// <summary>The frozen model.</summary>
    public CausalLm Base { get; }

    /// <summary>The trained encoder.</summary>
    public PromptEncoder Encoder { get; }

    /// <inheritdoc/>
    public override int VocabularySize => Base.VocabularySize;

    /// <inheritdoc/>
    public override int HiddenSize => Base.HiddenSize;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfSequenceIds => Base.EndOfSequenceIds;

    /// <inheritdoc/>
    public override Tensor Embed(Tensor ids) => Base.Embed(ids);

    /// <inheritdoc/>
    public override Tensor Project(Tensor hidden) => Base.Project(hidden);

    /// <summary>Does nothing: the parts are registered by name.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // The caller owns the model.
        if (disposing)
            _internal_submodules.Remove(BaseName);
        base.Dispose(disposing);
    }

    /// <summary>Returns the encoder's rows in the type of the model's embeddings.</summary>
    private protected Tensor Rows(Tensor like)
    {
        using var scope = NewDisposeScope();
        return Encoder.Rows().to(like.dtype, like.device).MoveToOuterDisposeScope();
    }

    /// <summary>Prepends the prompt's positions to the mask; null stays null.</summary>
    private protected static Tensor? WithPrompt(Tensor? mask, int length)
    {
        if (mask is null)
            return null;
        if (mask.Dimensions != 2)
            throw new ArgumentException($"attentionMask has the shape [{string.Join(",", mask.shape)}], expected [B,S].", nameof(mask));
        using var scope = NewDisposeScope();
        if (mask.numel() > 0 && mask.max().ToInt64() is > 1 and var segments)
            throw new ArgumentException(
                $"attentionMask holds {segments} packed sequences in a row, expected 0 and 1 only: a prompt stands at the start of a row.",
                nameof(mask)
            );
        return cat([ones([mask.size(0), length], dtype: mask.dtype, device: mask.device), mask], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Creates a cache of the base model with space for the prompt, which it does not count.</summary>
    private protected KeyValueCache NewCacheWithPrompt(int batch, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, ContextLength);
        var cache = Base.NewCache(batch, capacity + Encoder.Length);
        cache.Reserve(Encoder.Length);
        return cache;
    }

    private protected void CheckCache(KeyValueCache? cache)
    {
        if (cache is not null && cache.Reserved < Encoder.Length)
            throw new ArgumentException(
                $"The cache has no room for the {Encoder.Length} positions of the prompt, expected one from this model's NewCache.",
                nameof(cache)
            );
    }
}
