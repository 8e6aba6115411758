using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        sort_stable = new("sort.stable"),
        msort = new("msort"),
        argsort = new("argsort"),
        topk = new("topk"),
        kthvalue = new("kthvalue"),
        unique_dim = new("unique_dim"),
        _unique2 = new("_unique2"),
        unique_consecutive = new("unique_consecutive"),
        bincount = new("bincount"),
        histc = new("histc"),
        bucketize_Tensor = new("bucketize.Tensor"),
        searchsorted_Tensor = new("searchsorted.Tensor"),
        searchsorted_Scalar = new("searchsorted.Scalar");
}
