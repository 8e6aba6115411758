using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        view = new("view"),
        reshape = new("reshape"),
        ravel = new("ravel"),
        flatten_using_ints = new("flatten.using_ints"),
        unflatten_int = new("unflatten.int"),
        t = new("t"),
        transpose_int = new("transpose.int"),
        transpose_ = new("transpose_"),
        swapaxes = new("swapaxes"),
        swapdims = new("swapdims"),
        permute = new("permute"),
        movedim_intlist = new("movedim.intlist"),
        squeeze_dim = new("squeeze.dim"),
        squeeze = new("squeeze"),
        squeeze__dim = new("squeeze_.dim"),
        squeeze_ = new("squeeze_"),
        unsqueeze = new("unsqueeze"),
        unsqueeze_ = new("unsqueeze_"),
        expand = new("expand"),
        expand_as = new("expand_as"),
        broadcast_to = new("broadcast_to"),
        narrow = new("narrow"),
        select_int = new("select.int"),
        slice_Tensor = new("slice.Tensor"),
        unfold = new("unfold"),
        as_strided = new("as_strided"),
        diagonal = new("diagonal"),
        atleast_1d = new("atleast_1d"),
        atleast_2d = new("atleast_2d"),
        atleast_3d = new("atleast_3d"),
        contiguous = new("contiguous"),
        broadcast_tensors = new("broadcast_tensors"),
        movedim_int = new("movedim.int"),
        atleast_1d_Sequence = new("atleast_1d.Sequence"),
        atleast_2d_Sequence = new("atleast_2d.Sequence"),
        atleast_3d_Sequence = new("atleast_3d.Sequence"),
        numpy_T = new("numpy_T"),
        mT = new("mT"),
        mH = new("mH"),
        matrix_H = new("matrix_H");
}
