namespace PostTrain.Models;

/// <summary>
/// What a <see cref="Decoder"/> is made of: a pre-norm transformer, x ← x + attention(norm(x)), x ← x + mlp(norm(x)).
/// The defaults are Llama's architecture; <see cref="Gpt2"/> gives GPT-2's.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary>Number of token ids, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The longest sequence, prompt and completion together, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Width of the hidden states, D.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of blocks, L.</summary>
    public required int Layers { get; init; }

    /// <summary>Number of query heads, H.</summary>
    public required int Heads { get; init; }

    /// <summary>Number of key and value heads; divides <see cref="Heads"/>. 0, the default, means as many as <see cref="Heads"/>.</summary>
    public int KeyValueHeads { get; init; }

    /// <summary>Width of a head. 0, the default, means <see cref="HiddenSize"/> / <see cref="Heads"/>.</summary>
    public int HeadSize { get; init; }

    /// <summary>Inner width of the feed-forward layer. 0, the default, means 4 · <see cref="HiddenSize"/>.</summary>
    public int FeedForwardSize { get; init; }

    /// <summary>Default <see cref="Activation.Silu"/>.</summary>
    public Activation Activation { get; init; } = Activation.Silu;

    /// <summary>Whether the feed-forward layer is down(f(gate(x)) · up(x)) (default) or down(f(up(x))).</summary>
    public bool GatedFeedForward { get; init; } = true;

    /// <summary>Default <see cref="Normalization.RmsNorm"/>.</summary>
    public Normalization Normalization { get; init; } = Normalization.RmsNorm;

    /// <summary>ε of the normalisation. Default 1e-5.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>Base θ of the rotary embedding (Su et al. 2021, arXiv:2104.09864); null means learned positions. Default 10000.</summary>
    public double? RotaryTheta { get; init; } = 10_000;

    /// <summary>Whether scores are divided by √(head size). Default true.</summary>
    public bool ScaleAttention { get; init; } = true;

    /// <summary>Whether queries, keys and values come from one projection. Default false.</summary>
    public bool FusedProjections { get; init; }

    /// <summary>Whether the four projections of attention have a bias. Default false.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the projections of the feed-forward layer have a bias. Default false.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether the output projection is the token embedding itself: one parameter, counted once. Default true.</summary>
    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>Names of the parts. Default <see cref="ModuleNaming.Llama"/>.</summary>
    public ModuleNaming Naming { get; init; } = ModuleNaming.Llama;

    /// <summary>Id of the token that starts a text, where the checkpoint names one. Kept for the checkpoint; the decoder does not use it.</summary>
    public int? BeginOfSequenceId { get; init; }

    /// <summary>Ids of the tokens that end a text, where the checkpoint names some. Kept for the checkpoint; the decoder does not use them.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>Id of the padding token, where the checkpoint names one. Kept for the checkpoint; the decoder does not use it.</summary>
    public int? PaddingId { get; init; }

    /// <summary>GPT-2's architecture: layer norm, learned positions, fused projections with biases, tanh-GELU, tied embeddings.</summary>
    public static DecoderConfig Gpt2(int vocabularySize, int contextLength, int hiddenSize, int layers, int heads) => new()
    {
        VocabularySize = vocabularySize,
        ContextLength = contextLength,
        HiddenSize = hiddenSize,
        Layers = layers,
        Heads = heads,
        Activation = Activation.GeluTanh,
        GatedFeedForward = false,
        Normalization = Normalization.LayerNorm,
        RotaryTheta = null,
        FusedProjections = true,
        AttentionBias = true,
        FeedForwardBias = true,
        Naming = ModuleNaming.Gpt2,
    };

    /// <summary>The same with every 0 that means "derived" replaced by its value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range, or sizes do not divide.</exception>
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
        if (RotaryTheta is { } theta && !(theta > 0 && double.IsFinite(theta)))
            throw new ArgumentOutOfRangeException(nameof(RotaryTheta), theta, "RotaryTheta must be finite and positive.");
        var keyValueHeads = KeyValueHeads == 0 ? Heads : KeyValueHeads;
        if (Heads % keyValueHeads != 0)
            throw new ArgumentOutOfRangeException(nameof(KeyValueHeads), keyValueHeads, $"KeyValueHeads must divide Heads, which is {Heads}.");
        if (HeadSize == 0 && HiddenSize % Heads != 0)
            throw new ArgumentOutOfRangeException(nameof(Heads), Heads, $"Heads must divide HiddenSize, which is {HiddenSize}, unless HeadSize is given.");
        var headSize = HeadSize == 0 ? HiddenSize / Heads : HeadSize;
        if (RotaryTheta is not null && headSize % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(HeadSize), headSize, "The rotary embedding needs an even HeadSize.");
        var inner = FeedForwardSize == 0 ? 4L * HiddenSize : FeedForwardSize;
        if (inner > int.MaxValue || (long)headSize * Heads > int.MaxValue / 3)
            throw new ArgumentOutOfRangeException(nameof(HiddenSize), HiddenSize, "The sizes of the projections overflow.");
        return this with { KeyValueHeads = keyValueHeads, HeadSize = headSize, FeedForwardSize = (int)inner };
    }

    private static void Positive(int value, string name)
    {
        if (value <= 0)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be positive.");
    }
}
