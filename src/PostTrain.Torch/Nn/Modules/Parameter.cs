using PostTrain.Torch.Interop;
using static TorchSharp.torch;

namespace TorchSharp.Modules;

/// <summary>A tensor that a module trains.</summary>
public class Parameter : Tensor
{
    /// <summary>Takes over a tensor, which becomes empty; the parameter lives in the dispose scope that owned the tensor.</summary>
    /// <param name="data">The values. A tensor with a history is cut off from it.</param>
    /// <param name="requires_grad">Whether gradients are kept for it.</param>
    public Parameter(Tensor data, bool requires_grad = true) : base(Leaf(data))
    {
        if (((IScoped)data).Scope is { } scope) MoveToOtherDisposeScope(scope);
        data.Dispose();
        this.requires_grad = requires_grad;
    }

    private static nint Leaf(Tensor data)
    {
        if (data.is_leaf) return Native.pt_tensor_alias(data.Handle);
        using var detached = data.detach();
        return Native.pt_tensor_alias(detached.Handle);
    }
}
