using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        New(Ops.arange.Call(stop, dtype, Argument.None, On(device)), requires_grad);

    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        New(Ops.arange_start.Call(start, stop, dtype, Argument.None, On(device)), requires_grad);

    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        New(Ops.arange_start_step.Call(start, stop, step, dtype, Argument.None, On(device)), requires_grad);

    public static Tensor linspace(double start, double end, long steps, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        New(Ops.linspace.Call(start, end, steps, dtype, Argument.None, On(device)), requires_grad);

    public static Tensor logspace(double start, double end, long steps, double @base = 10, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        New(Ops.logspace.Call(start, end, steps, @base, dtype, Argument.None, On(device)), requires_grad);

    public static Tensor eye(long rows, long columns = -1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        New(Ops.eye_m.Call(rows, columns == -1 ? rows : columns, dtype, Argument.None, On(device)), requires_grad, names);

    /// <summary>Row and column numbers of the lower triangle, [2,n].</summary>
    public static Tensor tril_indices(long row, long col, long offset = 0, ScalarType dtype = ScalarType.Int64, Device? device = null) =>
        Ops.tril_indices.Call(row, col, offset, dtype, Argument.None, On(device));

    /// <summary>Row and column numbers of the upper triangle, [2,n].</summary>
    public static Tensor triu_indices(long row, long col, long offset = 0, ScalarType dtype = ScalarType.Int64, Device? device = null) =>
        Ops.triu_indices.Call(row, col, offset, dtype, Argument.None, On(device));

    public static Tensor empty_strided(long[] size, long[] strides, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        New(Ops.empty_strided.Call(size, strides, dtype, Argument.None, On(device)), requires_grad, names);
}
