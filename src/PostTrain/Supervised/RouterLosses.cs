using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Losses of the routers of mixtures of experts.</summary>
public static class RouterLosses
{
    /// <summary>L = E·Σ_k Σ_e f_{k,e}·P_e: E experts, f the share of tokens whose k-th choice is expert e, P the mean probability of
    /// e.</summary>
    /// <remarks>
    /// Switch Transformer, Fedus et al. 2021, arXiv:2101.03961, eq. 4 to 6, for k choices and with all layers taken together, as in
    /// transformers' <c>load_balancing_loss_func</c>. For a balanced router it is k. The gradient flows through P alone. Add it in
    /// a trainer of one's own, with a weight such as 0.001: the library's architectures have no experts.
    /// </remarks>
    /// <param name="gateLogits">Logits of each layer's router, [N,E] each, N tokens.</param>
    /// <param name="choices">k, the experts that a token goes to, 1 to E.</param>
    /// <param name="mask">[N], 1 where a token counts; null: all count. A mask without a counted token gives 0.</param>
    /// <returns>Scalar.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree, or there is no layer.</exception>
    public static Tensor LoadBalance(IReadOnlyList<Tensor> gateLogits, int choices, Tensor? mask = null)
    {
        ArgumentNullException.ThrowIfNull(gateLogits);
        if (gateLogits.Count == 0)
            throw new ArgumentException("gateLogits holds no layer, expected at least one", nameof(gateLogits));
        for (int layer = 0; layer < gateLogits.Count; layer++)
        {
            Guard.Rank(gateLogits[layer], $"gateLogits[{layer}]", 2, "[N,E]");
            Guard.Floating(gateLogits[layer], $"gateLogits[{layer}]");
            Guard.SameShape(gateLogits[layer], $"gateLogits[{layer}]", gateLogits[0], "gateLogits[0]");
        }
        long experts = gateLogits[0].shape[1];
        if (choices < 1 || choices > experts)
            throw new ArgumentOutOfRangeException(nameof(choices), choices, $"choices must be between 1 and the experts, {experts}");
        if (mask is not null && (mask.dim() != 1 || mask.shape[0] != gateLogits[0].shape[0]))
            throw new ArgumentException($"mask has shape {Guard.Shape(mask)}, expected [{gateLogits[0].shape[0]}]", nameof(mask));
        using var scope = NewDisposeScope();
        var logits = cat([.. gateLogits], 0);
        if (mask is not null)
            logits = logits.index_select(0, mask.repeat(gateLogits.Count).nonzero().squeeze(-1));
        if (logits.shape[0] == 0)
            return (logits.sum() * 0).MoveToOuterDisposeScope();
        var probabilities = logits.softmax(-1);
        var chosen = nn.functional.one_hot(probabilities.detach().topk(choices, -1).indexes, experts).to_type(logits.dtype);
        // [k,E] and [E].
        var shares = chosen.mean([0L]);
        return ((shares * probabilities.mean([0L]).unsqueeze(0)).sum() * experts).MoveToOuterDisposeScope();
    }
}
