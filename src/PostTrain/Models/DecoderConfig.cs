namespace PostTrain.Models;

/// <summary>The configuration of a <see cref="Decoder"/>: a pre-norm transformer, x ← x + attention(norm(x)), x ← x + mlp(norm(x)). The
/// defaults are Llama's architecture; <see cref="Gpt2"/> gives GPT-2's. <see cref="Pretrained.Load"/> reads the configuration of a
/// checkpoint.</summary>
public sealed record DecoderConfig
{
    /// <summary>Number of token ids, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Maximum sequence length in tokens, prompt and completion together.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Width of the hidden states, D.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of blocks, L.</summary>
    public required int Layers { get; init; }

    /// <summary>Number of query heads, H.</summary>
    public required int Heads { get; init; }

    /// <summary>Number of key and value heads; divides <see cref="Heads"/>. 0, the default: equal to <see cref="Heads"/>.</summary>
    public int KeyValueHeads { get; init; }

    /// <summary>Width of a head. 0, the default: <see cref="HiddenSize"/> / <see cref="Heads"/>.</summary>
    public int HeadSize { get; init; }

    /// <summary>Inner width of the feed-forward layer. 0, the default: 4 · <see cref="HiddenSize"/>.</summary>
    public int FeedForwardSize { get; init; }

    /// <summary>The nonlinearity of the feed-forward layer. Default <see cref="Activation.Silu"/>.</summary>
    public Activation Activation { get; init; } = Activation.Silu;

    /// <summary>True if the feed-forward layer is down(f(gate(x)) · up(x)) (default), false if it is down(f(up(x))).</summary>
    public bool GatedFeedForward { get; init; } = true;

    /// <summary>The normalisation. Default <see cref="Normalization.RmsNorm"/>.</summary>
    public Normalization Normalization { get; init; } = Normalization.RmsNorm;

    /// <summary>ε of the normalisation. Default 1e-5.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>The position of the norms. Default <see cref="NormPlacement.Before"/>.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>The attention of each layer: window, rotary embedding, scale, soft cap, norms of queries and keys. Default: Llama's in all
    /// layers.</summary>
    public AttentionLayers Attention { get; init; } = [new AttentionSpec()];

    /// <summary>True if queries, keys and values share one projection, and gate and up of a gated feed-forward layer another. Default
    /// false.</summary>
    public bool FusedProjections { get; init; }

    /// <summary>True if the projections to queries, keys and values have a bias. Default false.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>True if attention's output projection has a bias. Null, the default: equal to <see cref="AttentionBias"/>.</summary>
    public bool? AttentionOutputBias { get; init; }

    /// <summary>True if the projections of the feed-forward layer have a bias. Default false.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Factor of the embeddings before the first layer; Gemma's is √<see cref="HiddenSize"/>. Default 1.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Soft cap c: logits z become c tanh(z / c). Null, the default: no cap.</summary>
    public double? LogitSoftCap { get; init; }

    /// <summary>True if the output projection is the token embedding: one parameter, counted once. Default true.</summary>
    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>Names of the modules. Default <see cref="ModuleNaming.Llama"/>.</summary>
    public ModuleNaming Naming { get; init; } = ModuleNaming.Llama;

    /// <summary>The architecture's name in config.json, such as <c>qwen2</c>, used for saving. Null, the default: the first architecture
    /// that can express the configuration.</summary>
    public string? ModelType { get; init; }

    /// <summary>Id of the token that starts a text; null if the checkpoint has none. Kept for the checkpoint; the decoder does not use
    /// it.</summary>
    public int? BeginOfSequenceId { get; init; }

    /// <summary>Ids of the tokens that end a text; empty if the checkpoint has none. Kept for the checkpoint; the decoder does not use
    /// them.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>Id of the padding token; null if the checkpoint has none. Kept for the checkpoint; the decoder does not use it.</summary>
    public int? PaddingId { get; init; }

    /// <summary>Returns GPT-2's architecture: layer norm, learned positions, fused projections with biases, tanh-GELU, tied
    /// embeddings.</summary>
    public static DecoderConfig Gpt2(int vocabularySize, int contextLength, int hiddenSize, int layers, int heads) =>
        new()
        {
            VocabularySize = vocabularySize,
            ContextLength = contextLength,
            HiddenSize = hiddenSize,
            Layers = layers,
            Heads = heads,
            Activation = Activation.GeluTanh,
            GatedFeedForward = false,
            Normalization = Normalization.LayerNorm,
            Attention = [new AttentionSpec { Rotary = null }],
            FusedProjections = true,
            AttentionBias = true,
            FeedForwardBias = true,
            Naming = ModuleNaming.Gpt2,
        };

    /// <summary>Returns the configuration with every derived size in place of its 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of range, or sizes do not divide.</exception>
    internal DecoderConfig Resolved()
    {
        Positive(VocabularySize, nameof(VocabularySize));
        Positive(ContextLength, nameof(ContextLength));
        Positive(HiddenSize, nameof(HiddenSize));
        Positive(Layers, nameof(Layers));
        Positive(Heads, nameof(Heads));
        ArgumentOutOfRangeException.ThrowIfNegative(KeyValueHeads);
        ArgumentOutOfRangeException.ThrowIfNegative(HeadSize);
        ArgumentOutOfRangeException.ThrowIfNegative(FeedForwardSize);
        if (!(NormEpsilon >= 0) || !double.IsFinite(NormEpsilon))
            throw new ArgumentOutOfRangeException(nameof(NormEpsilon), NormEpsilon, "NormEpsilon must be finite and not negative.");
        Numerics.Guard.Positive(EmbeddingScale, nameof(EmbeddingScale));
        if (LogitSoftCap is { } cap)
            Numerics.Guard.Positive(cap, nameof(LogitSoftCap));
        var keyValueHeads = KeyValueHeads == 0 ? Heads : KeyValueHeads;
        if (Heads % keyValueHeads != 0)
            throw new ArgumentOutOfRangeException(
                nameof(KeyValueHeads),
                keyValueHeads,
                $"KeyValueHeads must divide Heads, which is {Heads}."
            );
        if (HeadSize == 0 && HiddenSize % Heads != 0)
            throw new ArgumentOutOfRangeException(
                nameof(Heads),
                Heads,
                $"Heads must divide HiddenSize, which is {HiddenSize}, unless HeadSize is given."
            );
        var headSize = HeadSize == 0 ? HiddenSize / Heads : HeadSize;
        foreach (var spec in Attention)
        {
            spec.Validate(headSize);
            if (spec.Rotary is null != Attention[0].Rotary is null)
                throw new ArgumentOutOfRangeException(
                    nameof(Attention),
                    Attention,
                    "Either all layers have a rotary embedding or none has."
                );
        }

        var inner = FeedForwardSize == 0 ? 4L * HiddenSize : FeedForwardSize;
        if (inner > int.MaxValue || (long)headSize * Heads > int.MaxValue / 3)
            throw new ArgumentOutOfRangeException(nameof(HiddenSize), HiddenSize, "The sizes of the projections overflow.");
        return this with
        {
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            FeedForwardSize = (int)inner,
            Attention = Attention.Shortest(Layers),
            AttentionOutputBias = AttentionOutputBias ?? AttentionBias,
        };
    }

    private static void Positive(int value, string name)
    {
        if (value <= 0)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be positive.");
    }
}
