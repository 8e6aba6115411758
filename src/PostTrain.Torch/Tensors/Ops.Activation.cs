using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        relu = new("relu"),
        relu_ = new("relu_"),
        relu6 = new("relu6"),
        relu6_ = new("relu6_"),
        elu = new("elu"),
        elu_ = new("elu_"),
        selu = new("selu"),
        selu_ = new("selu_"),
        celu = new("celu"),
        celu_ = new("celu_"),
        gelu = new("gelu"),
        gelu_ = new("gelu_"),
        glu = new("glu"),
        silu = new("silu"),
        silu_ = new("silu_"),
        hardsigmoid = new("hardsigmoid"),
        hardsigmoid_ = new("hardsigmoid_"),
        hardswish = new("hardswish"),
        hardswish_ = new("hardswish_"),
        hardtanh = new("hardtanh"),
        hardtanh_ = new("hardtanh_"),
        leaky_relu = new("leaky_relu"),
        leaky_relu_ = new("leaky_relu_"),
        log_sigmoid = new("log_sigmoid"),
        prelu = new("prelu"),
        rrelu = new("rrelu"),
        rrelu_ = new("rrelu_"),
        softplus = new("softplus"),
        threshold = new("threshold"),
        threshold_ = new("threshold_");
}
