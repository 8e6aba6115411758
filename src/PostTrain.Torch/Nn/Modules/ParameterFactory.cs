using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);
    }

    // A module's own tensor: uninitialised, and outside of every dispose scope.
    internal static Parameter NewParameter(long[] size, Device? device, ScalarType? dtype) =>
        (Parameter)new Parameter(empty(size, dtype, device)).DetachFromDisposeScope();
}
