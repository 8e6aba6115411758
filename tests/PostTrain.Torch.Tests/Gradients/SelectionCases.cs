using TorchSharp;
using static PostTrain.Torch.Tests.Gradients.Domain;
using static PostTrain.Torch.Tests.Gradients.GradientCase;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Indexing, gathering and scattering.</summary>
internal static class SelectionCases
{
    private static readonly long[] Rows = [2, 0];
    private static readonly long[] Repeated = [0, 2, 2];
    private static readonly bool[] Pattern = [true, false, true, true, false, false];

    internal static IEnumerable<GradientCase> All =>
    [
        Of("gather", Real(2, 3), x => x.gather(1, Table())),
        Of("scatter", Real(2, 3), Real(2, 2), (x, y) => x.scatter(1, Table(), y)),
        Of("scatter_", Real(2, 3), Real(2, 2), (x, y) => x.clone().scatter_(1, Table(), y)),
        Of("scatter_add", Real(2, 3), Real(2, 2), (x, y) => x.scatter_add(1, Table(), y)),
        Of("scatter_add_", Real(2, 3), Real(2, 2), (x, y) => x.clone().scatter_add_(1, Table(), y)),
        Of("index_select", Real(3, 2), x => x.index_select(0, tensor(Repeated))),
        Of("index_add", Real(3, 2), Real(3, 2), (x, y) => x.index_add(0, tensor(Repeated), y, 0.5)),
        Of("index_add_", Real(3, 2), Real(3, 2), (x, y) => x.clone().index_add_(0, tensor(Repeated), y, 0.5)),
        Of("index_copy", Real(3, 2), Real(2, 2), (x, y) => x.index_copy(0, tensor(Rows), y)),
        Of("index_copy_", Real(3, 2), Real(2, 2), (x, y) => x.clone().index_copy_(0, tensor(Rows), y)),
        Of("index_fill", Real(3, 2), x => x.index_fill(0, tensor(Rows), 1.5)),
        Of("index_fill_", Real(3, 2), x => x.clone().index_fill_(0, tensor(Rows), 1.5)),
        Of("masked_fill", Real(2, 3), x => x.masked_fill(Mask(), 1.5)),
        Of("masked_fill_", Real(2, 3), x => x.clone().masked_fill_(Mask(), 1.5)),
        Of("masked_scatter", Real(2, 3), Real(3), (x, y) => x.masked_scatter(Mask(), y)),
        Of("masked_scatter_", Real(2, 3), Real(3), (x, y) => x.clone().masked_scatter_(Mask(), y)),
        Of("masked_select", Real(2, 3), x => x.masked_select(Mask())),
        Of("take", Real(2, 3), x => x.take(tensor(new long[] { 5, 0, 5 }))),
        Of("take_along_dim", Real(2, 3), x => x.take_along_dim(Table(), 1)),
        Of("select_scatter", Real(2, 3), Real(3), (x, y) => x.select_scatter(y, 0, 1)),
        Of("slice_scatter", Real(4, 3), Real(2, 3), (x, y) => x.slice_scatter(y, 0, 1, 3)),
        Of("diagonal_scatter", Real(3, 3), Real(3), (x, y) => x.diagonal_scatter(y)),
        Of("index number", Real(3, 2), x => x[1]),
        Of("index slice", Real(4, 2), x => x[1..^1, 0]),
        Of("index tensor", Real(3, 2), x => x[tensor(Repeated)]),
        Of("index mask", Real(2, 3), x => x[Mask()]),
        Of("index mixed", Real(3, 2, 4), x => x[TensorIndex.Tensor(tensor(Repeated)), TensorIndex.None, 1, TensorIndex.Slice(0, 4, 2)]),
        Of("assign row", Real(3, 2), Real(2), (x, y) => Changed(x, copy => copy[1] = y)),
        Of("assign slice", Real(4, 2), Real(2), (x, y) => Changed(x, copy => copy[1..3] = y)),
        Of("assign tensor", Real(3, 2), Real(2, 2), (x, y) => Changed(x, copy => copy[tensor(Rows)] = y)),
        Of("assign mask", Real(2, 3), Real(3), (x, y) => Changed(x, copy => copy[Mask()] = y)),
        Of("index_put_ accumulate", Real(3, 2), Real(3, 2), (x, y) => x.clone().index_put_(y, [tensor(Repeated)], true)),
    ];

    private static Tensor Table() => tensor(new long[,] { { 2, 0 }, { 1, 2 } });

    private static Tensor Mask() => tensor(Pattern, [2, 3]);

    private static Tensor Changed(Tensor x, Action<Tensor> change)
    {
        var copy = x.clone();
        change(copy);
        return copy;
    }
}
