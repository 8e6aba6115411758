using TorchSharp;
using static PostTrain.Torch.Tests.Gradients.Domain;
using static PostTrain.Torch.Tests.Gradients.GradientCase;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Views, rearrangements and joins.</summary>
internal static class ShapeCases
{
    internal static IEnumerable<GradientCase> All => [.. Views, .. Arrangements];

    private static GradientCase[] Views =>
    [
        Of("alias", Real(2, 3), x => x.alias()),
        Of("view", Real(2, 3), x => x.view(3, 2)),
        Of("reshape", Real(2, 3), x => x.t().reshape(6)),
        Of("ravel", Real(2, 3), x => x.ravel()),
        Of("flatten", Real(2, 3, 2), x => x.flatten(1)),
        Of("unflatten", Real(2, 6), x => x.unflatten(1, 2, 3)),
        Of("t", Real(2, 3), x => x.t()),
        Of("T", Real(2, 3), x => x.T),
        Of("mT", Real(2, 2, 3), x => x.mT),
        Of("mH", Real(2, 2, 3), x => x.mH),
        Of("H", Real(2, 3), x => x.H),
        Of("transpose", Real(2, 3, 2), x => x.transpose(0, 2)),
        Of("transpose_", Real(2, 3), x => x.clone().transpose_(0, 1)),
        Of("swapaxes", Real(2, 3), x => x.swapaxes(0, 1)),
        Of("swapdims", Real(2, 3), x => x.swapdims(0, 1)),
        Of("permute", Real(2, 3, 2), x => x.permute(2, 0, 1)),
        Of("movedim", Real(2, 3, 2), x => movedim(x, 0, 2)),
        Of("movedim list", Real(2, 3, 2), x => x.movedim([0, 1], [2, 0])),
        Of("squeeze", Real(2, 1, 3), x => x.squeeze()),
        Of("squeeze dim", Real(2, 1, 3), x => x.squeeze(1)),
        Of("squeeze_", Real(2, 1, 3), x => x.clone().squeeze_()),
        Of("squeeze_ dim", Real(2, 1, 3), x => x.clone().squeeze_(1)),
        Of("unsqueeze", Real(2, 3), x => x.unsqueeze(1)),
        Of("unsqueeze_", Real(2, 3), x => x.clone().unsqueeze_(1)),
        Of("expand", Real(2, 1), x => x.expand(2, 3)),
        Of("expand_as", Real(2, 1), x => x.expand_as(zeros(2, 3))),
        Of("broadcast_to", Real(3), x => x.broadcast_to(2, 3)),
        Of("broadcast_tensors", Real(2, 1), Real(3), (x, y) => Joined(broadcast_tensors(x, y))),
        Of("narrow", Real(4, 3), x => x.narrow(0, 1, 2)),
        Of("select", Real(4, 3), x => x.select(0, 2)),
        Of("slice", Real(4, 3), x => x.slice(0, 0, 4, 2)),
        Of("unfold", Real(5), x => x.unfold(0, 3, 1)),
        Of("as_strided", Real(2, 3), x => x.as_strided([2, 2], [1, 2], 1)),
        Of("diagonal", Real(3, 3), x => x.diagonal(1)),
        Of("atleast_1d", Real(), x => x.atleast_1d()),
        Of("atleast_2d", Real(3), x => x.atleast_2d()),
        Of("atleast_3d", Real(3), x => x.atleast_3d()),
        Of("atleast_1d list", Real(), Real(2), (x, y) => Joined(atleast_1d(x, y))),
        Of("atleast_2d list", Real(3), Real(2), (x, y) => Joined(atleast_2d(x, y))),
        Of("atleast_3d list", Real(3), Real(2), (x, y) => Joined(atleast_3d(x, y))),
        Of("contiguous", Real(2, 3), x => x.t().contiguous()),
    ];

    private static GradientCase[] Arrangements =>
    [
        Of("split", Real(5, 2), x => Joined(x.split(2))),
        Of("split sizes", Real(5, 2), x => Joined(x.split([1, 4]))),
        Of("tensor_split", Real(5, 2), x => Joined(x.tensor_split(2))),
        Of("tensor_split list", Real(5, 2), x => Joined(x.tensor_split([1L, 3L]))),
        Of("tensor_split tensor", Real(5, 2), x => Joined(x.tensor_split(tensor(new long[] { 1, 3 })))),
        Of("chunk", Real(5, 2), x => Joined(x.chunk(2))),
        Of("unbind", Real(3, 2), x => Joined(x.unbind())),
        Of("hsplit", Real(2, 4), x => Joined(x.hsplit(2))),
        Of("hsplit list", Real(2, 4), x => Joined(x.hsplit(1, 3))),
        Of("vsplit", Real(4, 2), x => Joined(x.vsplit(2))),
        Of("vsplit list", Real(4, 2), x => Joined(x.vsplit(1, 3))),
        Of("dsplit", Real(2, 1, 4), x => Joined(x.dsplit(2))),
        Of("dsplit list", Real(2, 1, 4), x => Joined(x.dsplit(1, 3))),
        Of("repeat", Real(2, 3), x => x.repeat(2, 1, 2)),
        Of("repeat_interleave", Real(2, 3), x => x.repeat_interleave(2, 1)),
        Of("repeat_interleave tensor", Real(2, 3), x => x.repeat_interleave(tensor(new long[] { 1, 2 }), 0)),
        Of("tile", Real(2, 3), x => x.tile([2, 1])),
        Of("flip", Real(2, 3), x => x.flip(0, 1)),
        Of("fliplr", Real(2, 3), x => x.fliplr()),
        Of("flipud", Real(2, 3), x => x.flipud()),
        Of("roll", Real(2, 3), x => x.roll(1, 1)),
        Of("rot90", Real(2, 3), x => x.rot90()),
        Of("tril", Real(3, 3), x => x.tril()),
        Of("tril_", Real(3, 3), x => x.clone().tril_()),
        Of("triu", Real(3, 3), x => x.triu(1)),
        Of("triu_", Real(3, 3), x => x.clone().triu_(1)),
        Of("diag", Real(3), x => x.diag()),
        Of("diag of a matrix", Real(3, 3), x => x.diag(-1)),
        Of("diagflat", Real(2, 2), x => x.diagflat()),
        Of("diag_embed", Real(2, 3), x => x.diag_embed()),
        Of("cat", Real(2, 3), Real(1, 3), (x, y) => cat([x, y])),
        Of("stack", Real(2, 3), Real(2, 3), (x, y) => stack([x, y], 1)),
        Of("hstack", Real(2, 3), Real(2, 1), (x, y) => hstack(x, y)),
        Of("vstack", Real(2, 3), Real(1, 3), (x, y) => vstack([x, y])),
        Of("dstack", Real(2, 3), Real(2, 3), (x, y) => dstack(x, y)),
        Of("column_stack", Real(3), Real(3), (x, y) => column_stack(x, y)),
        Of("block_diag", Real(2, 2), Real(1, 3), (x, y) => block_diag(x, y)),
        Of("meshgrid", Real(2), Real(3), (x, y) => Joined(meshgrid([x, y]))),
        Of("cartesian_prod", Real(2), Real(3), (x, y) => cartesian_prod(x, y)),
        Of("combinations", Real(4), x => combinations(x)),
    ];
}
