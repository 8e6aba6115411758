using PostTrain.Torch.Interop;

namespace TorchSharp;

/// <summary>Every operator that the engine calls, by its name in libtorch. A new operator is one line here and one where it becomes a member.</summary>
internal static class Ops
{
    internal static readonly Operator
        alias = new("alias"),
        detach = new("detach"),
        detach_ = new("detach_"),
        equal = new("equal"),
        empty = new("empty.memory_format"),
        add_Tensor = new("add.Tensor"),
        add__Tensor = new("add_.Tensor");
}
