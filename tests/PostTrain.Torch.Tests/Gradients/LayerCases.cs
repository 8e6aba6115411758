using TorchSharp;
using static PostTrain.Torch.Tests.Gradients.Domain;
using static PostTrain.Torch.Tests.Gradients.GradientCase;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Layers, attention and losses.</summary>
internal static class LayerCases
{
    internal static IEnumerable<GradientCase> All => [.. Layers, .. Losses];

    private static GradientCase[] Layers =>
    [
        Of("linear", Real(2, 3), Real(4, 3), Real(4), (x, w, b) => linear(x, w, b)),
        Of("layer_norm", Real(2, 4), Real(4), Real(4), (x, w, b) => layer_norm(x, [4], w, b)),
        Of("embedding", Real(4, 3), table => Ops.embedding.Call(table, tensor(new long[] { 1, 3, 1 }))),
        Of("dropout off", Real(2, 3), x => dropout(x, 0.5, training: false)),
        Of("dropout_ off", Real(2, 3), x => dropout(x.clone(), 0.5, training: false, inplace: true)),
        Of("pad", Real(2, 3), x => pad(x, (1, 2), value: 5)),
        Of("normalize", Real(2, 3), x => normalize(x)),
        Of("cosine_similarity", Real(2, 3), Real(2, 3), (x, y) => cosine_similarity(x, y)),
        Of("attention", Real(2, 3, 4), Real(2, 5, 4), Real(2, 5, 3), (q, k, v) => scaled_dot_product_attention(q, k, v)),
        Of("attention causal", Real(3, 4), Real(3, 4), Real(3, 2), (q, k, v) => scaled_dot_product_attention(q, k, v, is_casual: true)),
        Of("attention added mask", Real(2, 4), Real(3, 4), Real(2, 3), (q, k, mask) => scaled_dot_product_attention(q, k, k, mask)),
        Of("lstm", Real(3, 2, 2), Real(8, 2), Real(1, 2, 2), (x, w, h) => Lstm(x, w, h)),
    ];

    private static GradientCase[] Losses =>
    [
        Of("cross_entropy classes", Real(3, 4), x => cross_entropy(x, Classes, label_smoothing: 0.1)),
        Of("cross_entropy probabilities", Real(3, 4), Probability(3, 4), (x, p) => cross_entropy(x, p)),
        Of("nll_loss", Real(3, 4), x => nll_loss(x, Classes, reduction: nn.Reduction.None)),
        Of("mse_loss", Real(2, 3), Real(2, 3), (x, y) => mse_loss(x, y)),
        Of("l1_loss", Real(2, 3), Real(2, 3), (x, y) => l1_loss(x, y, nn.Reduction.Sum)),
        Of("smooth_l1_loss", Real(2, 3), Real(2, 3), (x, y) => smooth_l1_loss(x, y, beta: 0.7)),
        Of("huber_loss", Real(2, 3), Real(2, 3), (x, y) => huber_loss(x, y, 0.7)),
        Of("kl_div", Real(2, 3), Real(2, 3), (x, y) => kl_div(x, y, reduction: nn.Reduction.None)),
        Of("binary_cross_entropy", Probability(2, 3), Probability(2, 3), (x, y) => binary_cross_entropy(x, y)),
        Of("binary_cross_entropy_with_logits", Real(2, 3), Probability(2, 3), (x, y) => binary_cross_entropy_with_logits(x, y)),
        Of("cosine_embedding_loss", Real(2, 3), Real(2, 3), (x, y) => cosine_embedding_loss(x, y, ones(2, float64))),
    ];

    private static Tensor Classes => tensor(new long[] { 0, 3, 1 });

    private static Tensor Lstm(Tensor input, Tensor weight, Tensor start)
    {
        var (output, hidden, cell) = Ops.lstm_input.Call3(input, new[] { start, start }, new[] { weight, weight }, false, 1L, 0.0, false, false, false);
        return Joined(output, hidden, cell);
    }
}
