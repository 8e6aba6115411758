using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        to_dtype = new("to.dtype"),
        to_dtype_layout = new("to.dtype_layout"),
        to_other = new("to.other"),
        clone = new("clone"),
        copy_ = new("copy_"),
        fill__Scalar = new("fill_.Scalar"),
        fill__Tensor = new("fill_.Tensor"),
        zero_ = new("zero_"),
        set__source_Tensor = new("set_.source_Tensor"),
        is_pinned = new("is_pinned"),
        pin_memory = new("pin_memory"),
        _local_scalar_dense = new("_local_scalar_dense"),
        promote_types = new("promote_types"),
        result_type_Tensor = new("result_type.Tensor"),
        can_cast = new("can_cast");
}
