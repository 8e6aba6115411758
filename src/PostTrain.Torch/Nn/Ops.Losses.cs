using PostTrain.Torch.Interop;

namespace TorchSharp;

// Losses.
internal static partial class Ops
{
    internal static readonly Operator
        cross_entropy_loss = new("cross_entropy_loss"),
        nll_loss_nd = new("nll_loss_nd"),
        mse_loss = new("mse_loss"),
        l1_loss = new("l1_loss"),
        smooth_l1_loss = new("smooth_l1_loss"),
        huber_loss = new("huber_loss"),
        kl_div = new("kl_div"),
        binary_cross_entropy = new("binary_cross_entropy"),
        binary_cross_entropy_with_logits = new("binary_cross_entropy_with_logits"),
        cosine_embedding_loss = new("cosine_embedding_loss");
}
