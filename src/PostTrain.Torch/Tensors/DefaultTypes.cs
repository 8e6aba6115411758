using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    private static Device? defaultDevice;

    /// <summary>The type of real numbers where none is named, of <c>zeros</c> and of a quotient of whole numbers; Float32 at the start.</summary>
    public static ScalarType get_default_dtype() => (ScalarType)Native.pt_default_dtype();

    public static void set_default_dtype(ScalarType dtype)
    {
        if (!is_floating_point(dtype)) throw new ArgumentException($"dtype: given {dtype}, expected a floating-point type", nameof(dtype));
        Native.Check(Native.pt_set_default_dtype((int)dtype));
    }

    public static Device get_default_device() => defaultDevice ?? CPU;

    public static void set_default_device(Device device) => defaultDevice = device.type == DeviceType.CPU ? null : device;
    public static void set_default_device(string device) => set_default_device(new Device(device));

    /// <summary>The type in which an operator on two tensors of these types works.</summary>
    public static ScalarType promote_types(ScalarType type1, ScalarType type2) => (ScalarType)Ops.promote_types.CallValue(type1, type2).Integer;

    public static ScalarType result_type(Tensor tensor1, Tensor tensor2) => (ScalarType)Ops.result_type_Tensor.CallValue(tensor1, tensor2).Integer;

    public static bool can_cast(ScalarType from, ScalarType to) => Ops.can_cast.CallValue(from, to).Integer != 0;

    // The device to create on; null stands for the CPU and costs the operator nothing.
    private static Device? On(Device? device) => device ?? defaultDevice;
}
