using System.Runtime.InteropServices;

namespace PostTrain.Torch.Interop;

/// <summary>What a <see cref="NativeValue"/> holds; the same order as <c>Tag</c> in native/engine.h.</summary>
internal enum Tag
{
    None,
    Tensor,
    Int,
    Double,
    Bool,
    IntList,
    DoubleList,
    BoolList,
    TensorList,
    OptionalTensorList,
    String,
    Device,
    Generator,
}

/// <summary>One argument or result of an operator as it crosses the border: <c>Value</c> in native/engine.h.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct NativeValue
{
    [FieldOffset(0)] internal Tag Tag;
    [FieldOffset(4)] internal int Length;
    [FieldOffset(8)] internal long Integer;
    [FieldOffset(8)] internal double Number;
    [FieldOffset(8)] internal nint Pointer;
}
