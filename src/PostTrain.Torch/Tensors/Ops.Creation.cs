using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        zeros = new("zeros"),
        ones = new("ones"),
        empty_memory_format = new("empty.memory_format"),
        full = new("full"),
        rand = new("rand"),
        rand_generator = new("rand.generator"),
        randn = new("randn"),
        randn_generator = new("randn.generator"),
        scalar_tensor = new("scalar_tensor"),
        arange = new("arange"),
        arange_start = new("arange.start"),
        arange_start_step = new("arange.start_step"),
        linspace = new("linspace"),
        logspace = new("logspace"),
        eye_m = new("eye.m"),
        randint_low = new("randint.low"),
        randint_low_generator = new("randint.low_generator"),
        randperm = new("randperm"),
        randperm_generator = new("randperm.generator"),
        tril_indices = new("tril_indices"),
        triu_indices = new("triu_indices"),
        zeros_like = new("zeros_like"),
        ones_like = new("ones_like"),
        empty_like = new("empty_like"),
        full_like = new("full_like"),
        rand_like = new("rand_like"),
        randn_like = new("randn_like"),
        randint_like_low_dtype = new("randint_like.low_dtype"),
        new_zeros = new("new_zeros"),
        new_ones = new("new_ones"),
        new_empty = new("new_empty"),
        new_full = new("new_full"),
        empty_strided = new("empty_strided");
}
