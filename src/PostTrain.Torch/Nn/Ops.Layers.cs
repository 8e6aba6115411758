using PostTrain.Torch.Interop;

namespace TorchSharp;

// Layers.
internal static partial class Ops
{
    internal static readonly Operator
        linear = new("linear"),
        embedding = new("embedding"),
        embedding_renorm_ = new("embedding_renorm_"),
        layer_norm = new("layer_norm"),
        dropout = new("dropout"),
        dropout_ = new("dropout_"),
        lstm_input = new("lstm.input"),
        scaled_dot_product_attention = new("scaled_dot_product_attention"),
        one_hot = new("one_hot"),
        pad = new("pad"),
        cosine_similarity = new("cosine_similarity");
}
