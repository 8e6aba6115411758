using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class SelectionTests
{
    private static Tensor Grid => tensor(new float[,] { { 1, 5, 3 }, { 6, 2, 4 } });

    private static void Same(float[] expected, Tensor actual) => Assert.Equal(expected, actual.to(ScalarType.Float32).data<float>().ToArray());

    [Fact]
    public void Gather_TakesOneColumnARow() => Same([3, 6], Grid.gather(1, tensor(new long[,] { { 2 }, { 0 } })));

    [Fact]
    public void Scatter_PutsAtTheIndex_ScatterAddAdds()
    {
        var index = tensor(new long[,] { { 0, 0 } });
        Same([9, 0, 0], zeros(1, 3).scatter_(1, tensor(new long[,] { { 0 } }), tensor(new float[,] { { 9 } })));
        Same([7, 0, 0], zeros(1, 3).scatter_add(1, index, tensor(new float[,] { { 3, 4 } })));
    }

    [Fact]
    public void IndexOperators_WorkOnRows()
    {
        var rows = tensor(new long[] { 1, 1 });
        Same([6, 2, 4, 6, 2, 4], Grid.index_select(0, rows));
        Same([1, 5, 3, 8, 4, 6], Grid.index_add(0, rows, ones(2, 3), 1));
        Same([1, 5, 3, 0, 0, 0], Grid.index_fill(0, rows, 0));
        Same([1, 5, 3, 1, 1, 1], Grid.index_copy(0, tensor(new long[] { 1 }), ones(1, 3)));
    }

    [Fact]
    public void Masks_SelectFillAndScatter()
    {
        var mask = Grid > 3;
        Same([5, 6, 4], Grid.masked_select(mask));
        Same([1, 0, 3, 0, 2, 0], Grid.masked_fill(mask, 0));
        Same([1, 7, 3, 8, 2, 9], Grid.masked_scatter(mask, tensor(new float[] { 7, 8, 9 })));
        Same([1, -1, 3, -1, 2, -1], where(mask, tensor(-1f), Grid));
        Assert.Equal([0L, 1, 1, 0, 1, 2], mask.nonzero().data<long>().ToArray());
        Assert.Equal([0L, 1, 1], where(mask)[0].data<long>().ToArray());
    }

    [Fact]
    public void TakeAlongDim_UndoesArgsort()
    {
        var order = Grid.argsort(1);
        Assert.Equal([0L, 2, 1, 1, 2, 0], order.data<long>().ToArray());
        Same([1, 3, 5, 2, 4, 6], Grid.take_along_dim(order, 1));
    }

    [Fact]
    public void Sort_IsStableWhenAsked()
    {
        var ties = tensor(new float[] { 1, 0, 1, 0, 1 });
        var (values, indices) = ties.sort(descending: true, stable: true);
        Same([1, 1, 1, 0, 0], values);
        Assert.Equal([0L, 2, 4, 1, 3], indices.data<long>().ToArray());
    }

    [Fact]
    public void TopkAndKthvalue_CountFromTheirEnds()
    {
        var (values, indices) = Grid.topk(2);
        Same([5, 3, 6, 4], values);
        Assert.Equal([1L, 2, 0, 2], indices.data<long>().ToArray());
        Same([1, 2], Grid.topk(1, largest: false).values);
        Same([3, 4], Grid.kthvalue(2, 1).values);
    }

    [Fact]
    public void Unique_GivesWhatIsAskedFor()
    {
        var (output, inverse, counts) = tensor(new long[] { 3, 1, 3 }).unique(return_inverse: true, return_counts: true);
        Assert.Equal([1L, 3], output.data<long>().ToArray());
        Assert.Equal([1L, 0, 1], inverse!.data<long>().ToArray());
        Assert.Equal([1L, 2], counts!.data<long>().ToArray());
        var (_, none, neither) = tensor(new long[] { 3, 1, 3 }).unique();
        Assert.Null(none);
        Assert.Null(neither);
        Assert.Equal([3L, 1, 3], tensor(new long[] { 3, 3, 1, 3 }).unique_consecutive().output.data<long>().ToArray());
    }

    [Fact]
    public void Bins_AreFoundByTheirEdges()
    {
        var edges = tensor(new float[] { 1, 2, 3 });
        var values = tensor(new float[] { 0, 2, 9 });
        Assert.Equal([0L, 1, 3], searchsorted(edges, values).data<long>().ToArray());
        Assert.Equal([0L, 2, 3], searchsorted(edges, values, right: true).data<long>().ToArray());
        Assert.Equal([0L, 1, 3], values.bucketize(edges).data<long>().ToArray());
        Assert.Equal([1L, 0, 2], bincount(tensor(new long[] { 2, 0, 2 })).data<long>().ToArray());
        Same([1, 2], tensor(new float[] { 0, 1, 1 }).histc(2, 0, 1));
    }
}
