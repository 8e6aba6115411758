using PostTrain.Models;

namespace PostTrain.Benchmarks.Workloads.Models;

/// <summary>Least arithmetic of a model's passes: two operations a weight and token for each product, and the full square of
/// attention.</summary>
internal sealed class ModelWork
{
    // In the names of Llama's and GPT-2's parameters.
    private static readonly string[] Tables = ["embed", "wte", "wpe", "lm_head"];

    private readonly double body,
        head,
        layers,
        width;

    /// <param name="model">Before an adapter is on it.</param>
    public ModelWork(Decoder model)
    {
        var config = model.Config;
        body = model
            .named_parameters()
            .Where(item => item.parameter.dim() == 2 && !IsTable(item.name))
            .Sum(item => (double)item.parameter.numel());
        head = (double)config.VocabularySize * config.HiddenSize;
        (layers, width) = (config.Layers, (double)config.Heads * config.HeadSize);
    }

    /// <summary>Weights that each new token reads.</summary>
    public double Weights => body + head;

    /// <summary>A forward pass over <paramref name="rows"/> of <paramref name="length"/> tokens, the head at <paramref name="projected"/>
    /// positions of each.</summary>
    public double Forward(int rows, int length, int projected) =>
        2 * (body * rows * length + head * rows * projected) + Attention(rows, length);

    /// <summary>Forward and both gradients of every product.</summary>
    public double FullStep(int rows, int length, int projected) => 3 * Forward(rows, length, projected);

    /// <summary>Forward and the gradients of the inputs; those of the weights of an adapter alone.</summary>
    public double AdapterStep(int rows, int length, long adapterWeights) =>
        2 * Forward(rows, length, length) + Attention(rows, length) + 6.0 * adapterWeights * rows * length;

    /// <summary>A prompt without logits, and then a token at a time.</summary>
    public double Generation(int rows, int prompt, int tokens) => 2 * Weights * rows * tokens + 2 * body * rows * prompt;

    private double Attention(int rows, int length) => 4 * layers * width * length * rows * length;

    private static bool IsTable(string name) => Tables.Any(part => name.Contains(part, StringComparison.Ordinal));
}
