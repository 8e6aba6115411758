using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        var = new("var"),
        var_mean = new("var_mean"),
        std = new("std"),
        std_mean = new("std_mean"),
        cov = new("cov"),
        corrcoef = new("corrcoef"),
        var_dim = new("var.dim"),
        std_dim = new("std.dim"),
        var_mean_dim = new("var_mean.dim"),
        std_mean_dim = new("std_mean.dim");
}
