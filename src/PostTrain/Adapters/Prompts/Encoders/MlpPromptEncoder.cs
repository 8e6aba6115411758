using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>P-tuning's rows from a multi-layer perceptron: W₃ ReLU(W₂ ReLU(W₁ e + b₁) + b₂) + b₃ of a trainable embedding e for each
/// virtual token.</summary>
/// <remarks>Liu et al. 2021, arXiv:2103.10385, section 2.2. The layers, their names and their initialisation are those of PEFT's
/// <c>PromptEncoder</c>.</remarks>
public sealed class MlpPromptEncoder : PromptEncoder
{
    private readonly EmbeddingRows embedding;
    private readonly Sequential head;

    /// <param name="length">n, at least 1.</param>
    /// <param name="width">Width of e and of the rows, the model's hidden size.</param>
    /// <param name="hiddenSize">Width between the layers.</param>
    /// <param name="seed">Seed of the initialisation: e ~ N(0, 1), layers uniform in ±1/√inputs.</param>
    /// <param name="type">Type of the parameters.</param>
    public MlpPromptEncoder(int length, int width, int hiddenSize, ulong seed, ScalarType type = ScalarType.Float32)
        : base(nameof(MlpPromptEncoder), length, width)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(hiddenSize);
        using var scope = NewDisposeScope();
        var start = new PromptParameters(seed, type);
        embedding = new EmbeddingRows(start.Normal([length, width], 1));
        head = nn.Sequential(
            ("0", start.Linear(width, hiddenSize)),
            ("1", nn.ReLU()),
            ("2", start.Linear(hiddenSize, hiddenSize)),
            ("3", nn.ReLU()),
            ("4", start.Linear(hiddenSize, width))
        );
        register_module("embedding", embedding);
        register_module("mlp_head", head);
    }

    /// <inheritdoc/>
    public override Tensor Rows() => head.call(embedding.Weight);

    /// <summary>Does nothing: the parts are registered under PEFT's names.</summary>
    protected override void RegisterComponents() { }
}
