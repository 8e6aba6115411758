using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        index_Tensor = new("index.Tensor"),
        index_put_ = new("index_put_");
}
