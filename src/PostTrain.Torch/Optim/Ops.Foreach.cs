using PostTrain.Torch.Interop;

namespace TorchSharp;

// Lists of tensors: one crossing to native code for a whole group of parameters.
internal static partial class Ops
{
    internal static readonly Operator
        _foreach_add_List = new("_foreach_add.List"),
        _foreach_add__Scalar = new("_foreach_add_.Scalar"),
        _foreach_add__List = new("_foreach_add_.List"),
        _foreach_mul__Scalar = new("_foreach_mul_.Scalar"),
        _foreach_addcmul__Scalar = new("_foreach_addcmul_.Scalar"),
        _foreach_addcdiv__Scalar = new("_foreach_addcdiv_.Scalar"),
        _foreach_sqrt = new("_foreach_sqrt"),
        _foreach_norm_Scalar = new("_foreach_norm.Scalar"),
        _foreach_zero_ = new("_foreach_zero_"),
        _foreach_maximum__List = new("_foreach_maximum_.List");
}
