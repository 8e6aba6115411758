using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        rsub_Scalar = new("rsub.Scalar");
}
