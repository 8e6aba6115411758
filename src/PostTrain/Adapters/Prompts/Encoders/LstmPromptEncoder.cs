using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>P-tuning's rows from a bidirectional LSTM over the virtual tokens: W₂ ReLU(W₁ [→hᵢ ; ←hᵢ] + b₁) + b₂.</summary>
/// <remarks>Liu et al. 2021, arXiv:2103.10385, eq. 5. The layers, their names and their initialisation are those of PEFT's
/// <c>PromptEncoder</c>: the first linear layer keeps the width 2H. Dropout acts between the LSTM's layers, in training only, and draws
/// from torch's own generator.</remarks>
public sealed class LstmPromptEncoder : PromptEncoder
{
    private readonly EmbeddingRows embedding;
    private readonly LSTM lstm;
    private readonly Sequential head;

    /// <param name="length">n, at least 1.</param>
    /// <param name="width">Width of the embeddings and of the rows, the model's hidden size.</param>
    /// <param name="hiddenSize">H, the LSTM's width in each direction.</param>
    /// <param name="layers">Number of LSTM layers.</param>
    /// <param name="dropout">Dropout probability of an output of any layer but the last, in [0, 1).</param>
    /// <param name="seed">Seed of the initialisation: embeddings N(0, 1), the LSTM uniform in ±1/√H, layers uniform in ±1/√inputs.</param>
    /// <param name="type">Type of the parameters.</param>
    public LstmPromptEncoder(
        int length,
        int width,
        int hiddenSize,
        int layers,
        double dropout,
        ulong seed,
        ScalarType type = ScalarType.Float32
    )
        : base(nameof(LstmPromptEncoder), length, width)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(hiddenSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(layers);
        if (!(dropout is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(dropout), dropout, "dropout must be at least 0 and below 1");
        using var scope = NewDisposeScope();
        var start = new PromptParameters(seed, type);
        embedding = new EmbeddingRows(start.Normal([length, width], 1));
        lstm = Started(
            nn.LSTM(width, hiddenSize, layers, batchFirst: true, dropout: dropout, bidirectional: true, dtype: type),
            start,
            hiddenSize
        );
        head = nn.Sequential(
            ("0", start.Linear(2L * hiddenSize, 2L * hiddenSize)),
            ("1", nn.ReLU()),
            ("2", start.Linear(2L * hiddenSize, width))
        );
        register_module("embedding", embedding);
        register_module("lstm_head", lstm);
        register_module("mlp_head", head);
    }

    /// <inheritdoc/>
    public override Tensor Rows()
    {
        using var scope = NewDisposeScope();
        var differentiable = is_grad_enabled();
        // Without gradients the float32 LSTM on the CPU uses another kernel, which rounds differently; rollouts and training need the same
        // rows.
        using var mode = enable_grad();
        var (outputs, _, _) = lstm.call(embedding.Weight.unsqueeze(0));
        var rows = head.call(outputs.squeeze(0));
        return (differentiable ? rows : rows.detach()).MoveToOuterDisposeScope();
    }

    /// <summary>Does nothing: the parts are registered under PEFT's names.</summary>
    protected override void RegisterComponents() { }

    private static LSTM Started(LSTM lstm, PromptParameters start, int hiddenSize)
    {
        using var mode = no_grad();
        foreach (var (_, parameter) in lstm.named_parameters())
        {
            parameter.DetachFromDisposeScope();
            parameter.copy_(start.Uniform(parameter.shape, 1 / Math.Sqrt(hiddenSize)));
        }

        return lstm;
    }
}
