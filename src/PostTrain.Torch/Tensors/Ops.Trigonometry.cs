using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        sin = new("sin"),
        sin_ = new("sin_"),
        cos = new("cos"),
        cos_ = new("cos_"),
        tan = new("tan"),
        tan_ = new("tan_"),
        asin = new("asin"),
        asin_ = new("asin_"),
        acos = new("acos"),
        acos_ = new("acos_"),
        atan = new("atan"),
        atan_ = new("atan_"),
        sinh = new("sinh"),
        sinh_ = new("sinh_"),
        cosh = new("cosh"),
        cosh_ = new("cosh_"),
        tanh = new("tanh"),
        tanh_ = new("tanh_"),
        asinh = new("asinh"),
        asinh_ = new("asinh_"),
        acosh = new("acosh"),
        acosh_ = new("acosh_"),
        atanh = new("atanh"),
        atanh_ = new("atanh_"),
        atan2 = new("atan2"),
        atan2_ = new("atan2_"),
        hypot = new("hypot");
}
