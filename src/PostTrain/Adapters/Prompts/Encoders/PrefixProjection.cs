using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>Prefix-tuning's rows from a multi-layer perceptron: W₂ tanh(W₁ e + b₁) + b₂ of a trainable embedding e for each virtual
/// token.</summary>
/// <remarks>Li and Liang 2021, arXiv:2101.00190, section 4.3. The layers, their names and their initialisation are those of PEFT's
/// <c>PrefixEncoder</c> with <c>prefix_projection</c>.</remarks>
public sealed class PrefixProjection : PromptEncoder
{
    private readonly EmbeddingRows embedding;
    private readonly Sequential transform;

    /// <param name="length">n, at least 1.</param>
    /// <param name="width">Width of the rows, W; <see cref="PrefixLm.WidthFor"/>.</param>
    /// <param name="embeddingSize">Width of e; in PEFT key-value heads · head size.</param>
    /// <param name="hiddenSize">Width between the layers.</param>
    /// <param name="seed">Seed of the initialisation: e ~ N(0, 1), layers uniform in ±1/√inputs.</param>
    /// <param name="type">Type of the parameters.</param>
    public PrefixProjection(int length, int width, int embeddingSize, int hiddenSize, ulong seed, ScalarType type = ScalarType.Float32)
        : base(nameof(PrefixProjection), length, width)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(embeddingSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(hiddenSize);
        using var scope = NewDisposeScope();
        var start = new PromptParameters(seed, type);
        embedding = new EmbeddingRows(start.Normal([length, embeddingSize], 1));
        transform = nn.Sequential(("0", start.Linear(embeddingSize, hiddenSize)), ("1", nn.Tanh()), ("2", start.Linear(hiddenSize, width)));
        register_module("embedding", embedding);
        register_module("transform", transform);
    }

    /// <inheritdoc/>
    public override Tensor Rows() => transform.call(embedding.Weight);

    /// <summary>Does nothing: the parts are registered under PEFT's names.</summary>
    protected override void RegisterComponents() { }
}
