using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

/// <summary>Reads and writes by index on t[i,j] = 10 i + j, 3 rows and 4 columns, and on u[i,j,k] = 100 i + 10 j + k, [2,3,4].</summary>
public class IndexingTests
{
    private static readonly Tensor T = (arange(3).unsqueeze(1) * 10 + arange(4)).to(ScalarType.Float32);
    private static readonly Tensor U = arange(2).view(2, 1, 1) * 100 + arange(3).view(3, 1) * 10 + arange(4);

    public static TheoryData<string, Func<Tensor>, long[], long[]> Reads => new()
    {
        { "t[1]", () => T[1], [4], [10, 11, 12, 13] },
        { "t[-1]", () => T[-1], [4], [20, 21, 22, 23] },
        { "t[1, 2]", () => T[1, 2], [], [12] },
        { "t[1, -1]", () => T[1, -1], [], [13] },
        { "t[..]", () => T[..], [3, 4], [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23] },
        { "t[1..]", () => T[1..], [2, 4], [10, 11, 12, 13, 20, 21, 22, 23] },
        { "t[..^1, 0]", () => T[..^1, 0], [2], [0, 10] },
        { "t[.., ^1]", () => T[.., ^1], [3], [3, 13, 23] },
        { "t[.., ^3..^1]", () => T[.., ^3..^1], [3, 2], [1, 2, 11, 12, 21, 22] },
        { "t[1..1]", () => T[1..1], [0, 4], [] },
        { "t[.., 1::2]", () => T[TensorIndex.Colon, TensorIndex.Slice(1, null, 2)], [3, 2], [1, 3, 11, 13, 21, 23] },
        { "t[-2:]", () => T[TensorIndex.Slice(-2)], [2, 4], [10, 11, 12, 13, 20, 21, 22, 23] },
        { "t[(1, 3)]", () => T[TensorIndex.Slice((1, 3)), 0], [2], [10, 20] },
        { "t[None]", () => T[TensorIndex.None, 0, .., TensorIndex.Null], [1, 4, 1], [0, 1, 2, 3] },
        { "t[..., 1]", () => T[TensorIndex.Ellipsis, 1], [3], [1, 11, 21] },
        { "t[1, ...]", () => T[1, TensorIndex.Ellipsis], [4], [10, 11, 12, 13] },
        { "u[0, ..., 3]", () => U[0, TensorIndex.Ellipsis, 3], [3], [3, 13, 23] },
        { "u[..., 1, 1:3]", () => U[TensorIndex.Ellipsis, 1, 1..3], [2, 2], [11, 12, 111, 112] },
        { "u[1, 2, 3]", () => U[1, 2, 3], [], [123] },
        { "t[tensor]", () => T[Indices(2, 0)], [2, 4], [20, 21, 22, 23, 0, 1, 2, 3] },
        { "t[tensor, tensor]", () => T[Indices(2, 0), Indices(3, 1)], [2], [23, 1] },
        { "t[mask]", () => T[T > 12], [5], [13, 20, 21, 22, 23] },
        { "t[:, tensor]", () => T[TensorIndex.Colon, TensorIndex.Tensor(Indices(3, 0))], [3, 2], [3, 0, 13, 10, 23, 20] },
        { "t[tensor, 1:3]", () => T[TensorIndex.Tensor(Indices(2, 0)), 1..3], [2, 2], [21, 22, 1, 2] },
        { "t[row mask, 1]", () => T[TensorIndex.Tensor(tensor(new[] { true, false, true })), 1], [2], [1, 21] },
        { "u[mask2d, 1]", () => U[TensorIndex.Tensor(U.select(2, 0) > 15), 1], [4], [21, 101, 111, 121] },
        { "u[0, tensor, tensor]", () => U[0, TensorIndex.Tensor(Indices(2, 0)), TensorIndex.Tensor(Indices(1, 3))], [2], [21, 3] },
        { "u[tensor, :, tensor]", () => U[TensorIndex.Tensor(Indices(1, 0)), TensorIndex.Colon, TensorIndex.Tensor(Indices(1, 3))], [2, 3], [101, 111, 121, 3, 13, 23] },
        { "t[0-dim tensor]", () => T[TensorIndex.Tensor(tensor(2L)), 0], [], [20] },
        { "t[true]", () => T[TensorIndex.Bool(true), 0], [1, 4], [0, 1, 2, 3] },
        { "t[false]", () => T[TensorIndex.Bool(false)], [0, 3, 4], [] },
        { "t[2d tensor]", () => T[0][tensor(new long[,] { { 0, 3 }, { 2, 2 } })], [2, 2], [0, 3, 2, 2] },
    };

    [Theory]
    [MemberData(nameof(Reads))]
    public void Read_SelectsWhatPyTorchSelects(string what, Func<Tensor> read, long[] shape, long[] expected)
    {
        using var result = read();
        Assert.True(shape.SequenceEqual(result.shape), $"{what}: shape [{string.Join(", ", result.shape)}]");
        using var numbers = result.to(ScalarType.Int64);
        Assert.Equal(expected, numbers.data<long>().ToArray());
    }

    public static TheoryData<string, Action<Tensor>, float[]> Writes => new()
    {
        { "row number", t => t[1] = 9f, [0, 1, 2, 9, 9, 9] },
        { "element", t => t[0, 2] = 9f, [0, 1, 9, 10, 11, 12] },
        { "row tensor", t => t[0] = tensor(new float[] { 7, 8, 9 }), [7, 8, 9, 10, 11, 12] },
        { "column", t => t[.., 1] = tensor(new float[] { 5, 6 }), [0, 5, 2, 10, 6, 12] },
        { "columns broadcast", t => t[.., 1..] = tensor(new float[] { 5, 6 }), [0, 5, 6, 10, 5, 6] },
        { "mask number", t => t[t > 1.5f] = -1f, [0, 1, -1, -1, -1, -1] },
        { "mask of another type's number", t => t[t > 1.5f] = 3, [0, 1, 3, 3, 3, 3] },
        { "mask values", t => t[t > 10.5f] = tensor(new float[] { 4, 5 }), [0, 1, 2, 10, 4, 5] },
        { "tensor rows", t => t[Indices(1, 0)] = tensor(new float[,] { { 1, 1, 1 }, { 2, 2, 2 } }), [2, 2, 2, 1, 1, 1] },
        { "mixed", t => t[TensorIndex.Tensor(Indices(1, 0)), 2] = tensor(new float[] { 4, 5 }), [0, 1, 5, 10, 11, 4] },
        { "leading ones", t => t[0] = tensor(new float[,] { { 7, 8, 9 } }), [7, 8, 9, 10, 11, 12] },
        { "put scalar", t => t.index_put_(6, TensorIndex.Colon, TensorIndex.Single(0)), [6, 1, 2, 6, 11, 12] },
        { "accumulate", t => t.index_put_(tensor(new float[] { 1, 1 }), [Indices(0, 0), Indices(2, 2)], true), [0, 1, 4, 10, 11, 12] },
        { "accumulate in a view", t => t.index_put_(tensor(1f), new TensorIndex[] { 1 }, true), [0, 1, 2, 11, 12, 13] },
    };

    [Theory]
    [MemberData(nameof(Writes))]
    public void Write_ChangesWhatTheIndicesSelect(string what, Action<Tensor> write, float[] expected)
    {
        using var target = T[..2, ..3].clone();
        write(target);
        Assert.True(expected.SequenceEqual(target.data<float>()), $"{what}: {target.npstr()}");
    }

    [Fact]
    public void Read_BySlice_SharesMemory()
    {
        using var source = zeros(2, 2);
        using var view = source[.., 1];
        view.fill_(5);
        Assert.Equal([0f, 5f, 0f, 5f], source.data<float>().ToArray());
    }

    [Fact]
    public void Index_WithTooManyIndices_Throws()
    {
        Assert.Throws<ArgumentException>(() => T[0, 0, 0]);
        Assert.Throws<ArgumentException>(() => T[0, .., 0]);
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => T[3]);
        Assert.Throws<ArgumentException>(() => T[TensorIndex.Slice(0, 2, -1)]);
    }

    [Fact]
    public void Index_OfMixedKinds_LeavesOneTensor()
    {
        using var scope = NewDisposeScope();
        var rows = Indices(2, 0);
        var before = scope.DisposablesCount;
        _ = T[TensorIndex.Tensor(rows), TensorIndex.None, 1..3];
        Assert.Equal(before + 1, scope.DisposablesCount);
        using var target = T.clone();
        before = scope.DisposablesCount;
        target.index_put_(1, TensorIndex.Tensor(rows), TensorIndex.Single(0));
        Assert.Equal(before, scope.DisposablesCount);
    }

    private static Tensor Indices(params long[] values) => tensor(values);
}
