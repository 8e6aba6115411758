using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        add_Tensor = new("add.Tensor"),
        add_Scalar = new("add.Scalar"),
        add__Tensor = new("add_.Tensor"),
        add__Scalar = new("add_.Scalar"),
        sub_Tensor = new("sub.Tensor"),
        sub_Scalar = new("sub.Scalar"),
        sub__Tensor = new("sub_.Tensor"),
        sub__Scalar = new("sub_.Scalar"),
        mul_Tensor = new("mul.Tensor"),
        mul_Scalar = new("mul.Scalar"),
        mul__Tensor = new("mul_.Tensor"),
        mul__Scalar = new("mul_.Scalar"),
        div_Tensor = new("div.Tensor"),
        div_Tensor_mode = new("div.Tensor_mode"),
        div_Scalar = new("div.Scalar"),
        div_Scalar_mode = new("div.Scalar_mode"),
        div__Tensor = new("div_.Tensor"),
        div__Tensor_mode = new("div_.Tensor_mode"),
        div__Scalar = new("div_.Scalar"),
        div__Scalar_mode = new("div_.Scalar_mode"),
        floor_divide = new("floor_divide"),
        floor_divide_Scalar = new("floor_divide.Scalar"),
        floor_divide__Tensor = new("floor_divide_.Tensor"),
        floor_divide__Scalar = new("floor_divide_.Scalar"),
        remainder_Tensor = new("remainder.Tensor"),
        remainder_Scalar = new("remainder.Scalar"),
        remainder__Tensor = new("remainder_.Tensor"),
        remainder__Scalar = new("remainder_.Scalar"),
        fmod_Tensor = new("fmod.Tensor"),
        fmod_Scalar = new("fmod.Scalar"),
        fmod__Tensor = new("fmod_.Tensor"),
        fmod__Scalar = new("fmod_.Scalar"),
        pow_Tensor_Tensor = new("pow.Tensor_Tensor"),
        pow_Tensor_Scalar = new("pow.Tensor_Scalar"),
        pow__Tensor = new("pow_.Tensor"),
        pow__Scalar = new("pow_.Scalar"),
        float_power_Tensor_Tensor = new("float_power.Tensor_Tensor");
}
