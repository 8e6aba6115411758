using PostTrain.Operators;
using PostTrain.Text;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// The transformer decoder of GPT-2, Llama, Mistral, Qwen, Gemma, Phi-3 and their like, assembled from a <see cref="DecoderConfig"/>. It
/// has no dropout: post-training compares log-probs of the same tokens under several policies, which dropout would make random.
/// </summary>
/// <remarks>
/// Parameters carry Hugging Face's names (<see cref="ModuleNaming"/>). Tied embeddings are one parameter object.
/// <para>A cached and an uncached pass agree to rounding (1e-5 in float32), not to the bit: a product over one row takes another path of
/// the BLAS (gemv) than the same row in a matrix, and the sum over keys has another length where a batch is padded differently.</para>
/// </remarks>
public sealed class Decoder : CausalLm, ILayerOwner
{
    private readonly Backbone backbone;
    private nn.Module<Tensor, Tensor>? head;
    private readonly AttentionViews views;
    private readonly HashSet<string> ownNames = new(StringComparer.Ordinal);

    internal Decoder(DecoderConfig config, WeightSource source)
        : base(nameof(Decoder))
    {
        Config = config = config.Resolved();
        var names = ModuleNames.Of(config.Naming);
        // A finished model's parameters belong to no scope.
        using var scope = NewDisposeScope();
        try
        {
            backbone = new Backbone(config, source);
            register_module(names.Backbone, backbone);
            if (!config.TiedEmbeddings)
            {
                head = source.Linear(names.Head, config.HiddenSize, config.VocabularySize, bias: false, WeightRole.Embedding);
                register_module(names.Head, head);
            }
        }
        catch
        {
            source.Release();
            throw;
        }

        views = new AttentionViews(config);
        foreach (var (name, parameter) in named_parameters())
        {
            parameter.DetachFromDisposeScope();
            ownNames.Add(name);
        }
    }

    /// <summary>The configuration, every derived size filled in.</summary>
    public DecoderConfig Config { get; }

    /// <inheritdoc/>
    public override int VocabularySize => Config.VocabularySize;

    /// <inheritdoc/>
    public override int HiddenSize => Config.HiddenSize;

    /// <inheritdoc/>
    public override int ContextLength => Config.ContextLength;

    /// <summary>The configuration's ends (<c>config.json</c>) and those of the <c>generation_config.json</c> that the model was loaded
    /// with.</summary>
    public override IReadOnlyList<int> EndOfSequenceIds =>
        Origin?.Generation is { } settings
            ? [.. Config.EndOfSequenceIds.Union(GenerationEnds.Read(settings, HuggingFace.CheckpointOrigin.GenerationName))]
            : Config.EndOfSequenceIds;

    /// <summary>True if parameters are registered that are not the decoder's own.</summary>
    internal bool HasAdapter => named_parameters().Any(item => !ownNames.Contains(item.name));

    /// <summary>The settings of the checkpoint from which this was loaded.</summary>
    internal HuggingFace.CheckpointOrigin? Origin { get; init; }

    /// <summary>True if a training pass keeps only the layers' inputs and computes the rest again in the backward pass: the same gradients
    /// to the bit, for much less memory and about a quarter more time. Gradients are then computed by <c>backward</c>, not by
    /// <c>autograd.grad</c>.</summary>
    /// <value>The default is false.</value>
    public bool CheckpointActivations
    {
        get => backbone.CheckpointActivations;
        set => backbone.CheckpointActivations = value;
    }

    /// <summary>True if a pass over padded rows skips the padding: the rows are laid one after the other into fewer rows of the same width,
    /// which do not see each other, and the hidden states are moved back to the tokens' positions. The numbers are equal up to the last
    /// digits, and so are the gradients, in any trainer, with heads and with soft prompts; it helps if lengths differ. Not with a cache, a
    /// prefix, or an adapter per row.</summary>
    /// <value>The default is false.</value>
    public bool PaddingFree { get; set; }

    /// <summary>The token embedding, [V,D]; with tied embeddings the output projection too. It belongs to the model: do not dispose
    /// it.</summary>
    public Parameter TokenEmbeddings => backbone.Tokens.Weight;

    /// <summary>A decoder with a random start: N(0, 0.02²), projections into the residual stream smaller by √(2L), biases 0, norms
    /// 1.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="seed">The same seed gives the same weights, on every machine and engine.</param>
    /// <param name="type">Type of the weights.</param>
    /// <exception cref="ArgumentOutOfRangeException">The configuration's sizes do not agree.</exception>
    public static Decoder Create(DecoderConfig config, ulong seed, ScalarType type = ScalarType.Float32)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new Decoder(config, new RandomWeights(seed, config.Layers, type));
    }

    /// <summary>A second decoder with the same configuration, weights and ways to compute, in the same type and place, which shares nothing
    /// with this one: a frozen reference, a critic's body.</summary>
    /// <returns>All its parameters require a gradient; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">There is an adapter on the model, which a decoder has no place for.</exception>
    public Decoder Copy()
    {
        if (HasAdapter)
            throw new InvalidOperationException("The model has an adapter, expected a plain decoder: merge the adapter, or dispose it.");
        using var mode = no_grad();
        var copy = new Decoder(Config, new CopiedWeights(this))
        {
            Origin = Origin,
            PaddingFree = PaddingFree,
            CheckpointActivations = CheckpointActivations,
        };
        copy.train(training);
        return copy;
    }

    /// <summary>A copy, as by <see cref="Copy"/>, whose vocabulary has further ids behind those of this one. Only the token embedding and
    /// the output projection grow: their old rows and all other parameters have the same bits, and so have the logits of the old ids up
    /// to the rounding of a wider product.</summary>
    /// <remarks>A new row is the mean of the old ones, so that a new token is at first about as likely as an old one (Hewitt 2021, as
    /// transformers does), plus normal noise with a hundredth of each column's standard deviation, which tells new tokens apart.</remarks>
    /// <param name="vocabularySize">The new number of ids, at least <see cref="VocabularySize"/>.</param>
    /// <param name="seed">Seed of the noise.</param>
    /// <returns>All its parameters require a gradient; the caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The number is below <see cref="VocabularySize"/>.</exception>
    /// <exception cref="InvalidOperationException">There is an adapter on the model.</exception>
    public Decoder WithVocabulary(int vocabularySize, ulong seed = 0)
    {
        Numerics.Guard.AtLeast(vocabularySize, VocabularySize, nameof(vocabularySize));
        if (HasAdapter)
            throw new InvalidOperationException("The model has an adapter, expected a plain decoder: merge the adapter, or dispose it.");
        using var mode = no_grad();
        var grown = new Decoder(Config with { VocabularySize = vocabularySize }, new GrownWeights(this, seed))
        {
            Origin = Origin?.With("vocab_size", vocabularySize),
            PaddingFree = PaddingFree,
            CheckpointActivations = CheckpointActivations,
        };
        grown.train(training);
        return grown;
    }

    /// <inheritdoc/>
    public override Tensor Embed(Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var embedded = backbone.Tokens.call(ids);
        if (Config.EmbeddingScale == 1)
            return embedded;
        using (embedded)
            return embedded.mul(Config.EmbeddingScale);
    }

    /// <inheritdoc/>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        if (!PaddingFree || attentionMask is null || cache is not null)
            return HiddenAfter(null, embeddings, attentionMask, cache);
        ArgumentNullException.ThrowIfNull(embeddings);
        CheckShapes(embeddings, attentionMask, cache, prefix: 0);
        using var scope = NewDisposeScope();
        var hidden = PackedLayout.Of(attentionMask) is { } layout
            ? layout.Unpack(HiddenAfter(null, layout.Pack(embeddings), layout.Segments, null))
            : HiddenAfter(null, embeddings, attentionMask, null);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary><see cref="HiddenFromEmbeddings"/> with keys and values of n positions before the first. They count as positions: the mask,
    /// [B,n+S], covers them, and the first embedding stands at position n. A cache takes them up, so that they are given in the first call
    /// only.</summary>
    internal Tensor HiddenAfter(KeyValuePrefix? prefix, Tensor embeddings, Tensor? attentionMask, KeyValueCache? cache)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        var (length, total) = CheckShapes(embeddings, attentionMask, cache, prefix?.Length ?? 0);
        if (cache is not null && prefix is null && length == 1 && StepOf(cache) is { } step)
        {
            var next = step.Hidden(embeddings, attentionMask);
            cache.Advance(1);
            return next;
        }
        using var mode = cache is null ? null : no_grad();
        using var scope = NewDisposeScope();
        var (inputs, positions) = views.Create(attentionMask, length, total, embeddings, cache, prefix);
        var hidden = backbone.Apply(embeddings, positions, inputs).MoveToOuterDisposeScope();
        cache?.Advance((int)length + (prefix?.Length ?? 0));
        return hidden;
    }

    /// <inheritdoc/>
    public override Tensor Project(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        // A matrix product of shapes that do not fit ends the process on some builds of TorchSharp.
        if (hidden.dim() == 0 || hidden.size(-1) != Config.HiddenSize)
            throw new ArgumentException(
                $"hidden has the shape [{string.Join(",", hidden.shape)}], expected [...,{Config.HiddenSize}].",
                nameof(hidden)
            );
        using var scope = NewDisposeScope();
        var logits = head is null ? backbone.Tokens.Project(hidden) : head.call(hidden);
        return (Config.LogitSoftCap is { } cap ? logits.div(cap).tanh().mul(cap) : logits).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    internal override Tensor? OutputWeight
    {
        get
        {
            nn.Module<Tensor, Tensor> projection = head ?? backbone.Tokens.Projection;
            if (Config.LogitSoftCap is not null || ForwardHooks.Of(projection) is not { Any: false })
                return null;
            return projection switch
            {
                Linear { weight: { } weight, bias: null } => weight,
                TiedProjection { IsPlain: true } tied => tied.Weight,
                _ => null,
            };
        }
    }

    /// <inheritdoc/>
    internal override Tensor NextLogits(Tensor ids, Tensor? attentionMask, KeyValueCache cache)
    {
        if (ids.dim() != 2 || ids.size(1) != 1 || ids.dtype != ScalarType.Int64 || StepOf(cache) is not { HasEnds: true } step)
            return base.NextLogits(ids, attentionMask, cache);
        CheckPlaces(ids.size(0), 1, attentionMask, cache, prefix: 0, nameof(ids));
        var logits = step.Logits(ids, attentionMask);
        cache.Advance(1);
        return logits;
    }

    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, ContextLength);
        return new KeyValueCache(
            Config.Layers,
            batch,
            Config.KeyValueHeads,
            capacity,
            Config.HeadSize,
            backbone.Tokens.Type,
            backbone.Tokens.Device
        );
    }

    /// <summary>The model's own parameters by their full names, without what adapters have registered.</summary>
    /// <exception cref="InvalidOperationException">A layer was replaced by one without them.</exception>
    internal IEnumerable<(string Name, Parameter Parameter)> Weights()
    {
        var own = named_parameters().Where(item => ownNames.Contains(item.name)).ToList();
        if (own.Count == ownNames.Count)
            return own;
        var missing = ownNames.Except(own.Select(item => item.name)).First();
        throw new InvalidOperationException(
            $"The model's '{missing}' was replaced by a compressed layer, expected plain weights: restore them first "
                + "(ModelQuantization.Restore, LowRank.Restore)."
        );
    }

    /// <inheritdoc/>
    /// <remarks>Of the decoder itself that is an output projection of its own; the blocks have their layers.</remarks>
    public void ReplaceLayer(string name, nn.Module<Tensor, Tensor> layer)
    {
        if (head is null || name != ModuleNames.Of(Config.Naming).Head)
            throw LayerSlots.Unknown(this, name);
        head = LayerSlots.Register(this, name, layer);
    }

    /// <summary>Nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            views.Dispose();

        base.Dispose(disposing);
    }

    // The pass over one position without tensor operators, where the model's parts allow it now.
    private IPositionStep? StepOf(KeyValueCache cache)
    {
        if (cache.HasNoStep || !Fused.IsOn || views.Rotaries.Any(rotary => rotary.DependsOnLength(cache.Held + 1)))
            return null;
        if (cache.Step is { } step && step.IsCurrent(head))
            return step;
        cache.Step?.Dispose();
        cache.Step = backbone.Tokens.Type switch
        {
            ScalarType.Float32 => PositionStep<float>.Of(Config, backbone, head, views, cache),
            ScalarType.Float64 => PositionStep<double>.Of(Config, backbone, head, views, cache),
            _ => null,
        };
        cache.HasNoStep = cache.Step is null;
        return cache.Step;
    }

    private (long Length, long Total) CheckShapes(Tensor embeddings, Tensor? mask, KeyValueCache? cache, int prefix)
    {
        var shape = embeddings.shape;
        if (shape.Length != 3 || shape[2] != Config.HiddenSize || shape[0] == 0 || shape[1] == 0)
            throw new ArgumentException(
                $"embeddings have the shape [{string.Join(",", shape)}], expected [B,T,{Config.HiddenSize}] with B and T positive.",
                nameof(embeddings)
            );
        var total = CheckPlaces(shape[0], shape[1], mask, cache, prefix, nameof(embeddings));
        if (cache is not null && cache.Type != embeddings.dtype)
            throw new ArgumentException(
                $"The cache holds {cache.Type}, expected {embeddings.dtype} as the model's weights: make the cache after the "
                    + "model's type is set.",
                nameof(cache)
            );
        return (shape[1], total);
    }

    private long CheckPlaces(long rows, long length, Tensor? mask, KeyValueCache? cache, int prefix, string name)
    {
        var total = length + prefix + (cache?.Held ?? 0);
        if (mask is null)
            ContextLimit.Check(total, null, ContextLength, name);
        if (cache is not null && (cache.Batch != rows || total > cache.Room))
            throw new ArgumentException(
                $"The cache holds {cache.Batch} rows of up to {cache.Room} positions, but {rows} rows of {total} are given.",
                nameof(cache)
            );
        if (mask is not null && (mask.Dimensions != 2 || mask.size(0) != rows || mask.size(1) != total))
            throw new ArgumentException(
                $"attentionMask has the shape [{string.Join(",", mask.shape)}], expected [{rows},{total}].",
                nameof(mask)
            );
        ContextLimit.Check(total, mask, ContextLength, name);
        return total;
    }
}
