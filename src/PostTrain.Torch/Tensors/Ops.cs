using PostTrain.Torch.Interop;

namespace TorchSharp;

/// <summary>Every operator that the engine calls, by its name in libtorch. A new operator is one line in its topic's file and one where it becomes a member.</summary>
internal static partial class Ops
{
    internal static readonly Operator
        alias = new("alias"),
        detach = new("detach"),
        detach_ = new("detach_"),
        equal = new("equal");
}
