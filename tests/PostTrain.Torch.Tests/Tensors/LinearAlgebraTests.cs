using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class LinearAlgebraTests
{
    private static Tensor A => tensor(new double[,] { { 1, 2 }, { 3, 4 } });
    private static Tensor V => tensor(new double[] { 1, -1 });

    public static TheoryData<string, Func<Tensor>, double[]> Values => new()
    {
        { "matmul", () => A.matmul(A), [7, 10, 15, 22] },
        { "mm", () => A.mm(A), [7, 10, 15, 22] },
        { "bmm", () => A[TensorIndex.None].bmm(A[TensorIndex.None]), [7, 10, 15, 22] },
        { "mv", () => A.mv(V), [-1, -1] },
        { "dot", () => V.dot(V), [2] },
        { "outer", () => V.outer(V), [1, -1, -1, 1] },
        { "einsum matrix", () => einsum("ij,jk->ik", A, A), [7, 10, 15, 22] },
        { "einsum trace", () => einsum("ii", A), [5] },
        { "einsum outer of three", () => einsum("i,j,k->", V + 2, V, V), [0] },
        { "tensordot", () => A.tensordot(A), [30] },
        { "det", () => A.det(), [-2] },
        { "inverse", () => A.inverse(), [-2, 1, 1.5, -0.5] },
        { "trace", () => A.trace(), [5] },
        { "solve", () => linalg.solve(A, tensor(new double[,] { { 5 }, { 11 } })), [1, 2] },
        { "norm", () => linalg.norm(A), [Math.Sqrt(30)] },
        { "norm max", () => linalg.norm(V * 3, double.PositiveInfinity), [3] },
        { "norm rows", () => linalg.norm(A, [1]), [Math.Sqrt(5), 5] },
        { "vector_norm 1", () => linalg.vector_norm(A, 1), [10] },
        { "matrix_norm 1", () => linalg.matrix_norm(A, 1.0), [6] },
        { "singular values", () => linalg.svdvals(tensor(new double[,] { { 0, 3 }, { 4, 0 } })), [4, 3] },
        { "eigenvalues", () => linalg.eigvalsh(tensor(new double[,] { { 2, 1 }, { 1, 2 } })), [1, 3] },
        { "cholesky", () => linalg.cholesky(tensor(new double[,] { { 4, 2 }, { 2, 2 } })), [2, 0, 1, 1] },
        { "matrix_power", () => A.matrix_power(2), [7, 10, 15, 22] },
        { "kron", () => V.kron(V), [1, -1, -1, 1] },
        { "vander", () => tensor(new double[] { 2, 3 }).vander(3), [4, 2, 1, 9, 3, 1] },
        { "cross", () => linalg.cross(tensor(new double[] { 1, 0, 0 }), tensor(new double[] { 0, 1, 0 })), [0, 0, 1] },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Product_IsAsWorkedByHand(string what, Func<Tensor> function, double[] expected)
    {
        using var scope = NewDisposeScope();
        var actual = function().data<double>().ToArray();
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(actual[i] - expected[i]) < 1e-12, $"{what}[{i}]: {actual[i]:R}, expected {expected[i]:R}");
    }

    [Fact]
    public void Decompositions_GiveTheMatrixBack()
    {
        using var scope = NewDisposeScope();
        var (u, s, vh) = linalg.svd(A);
        Assert.True(u.matmul(s.diag()).matmul(vh).allclose(A));
        var (q, r) = linalg.qr(A);
        Assert.True(q.matmul(r).allclose(A));
        Assert.True(q.t().matmul(q).allclose(eye(2, dtype: float64)));
        Assert.Equal(0.0, r[1, 0].ToDouble());
    }

    [Fact]
    public void WrongShapes_ThrowLibtorchsMessageAndTheProcessGoesOn()
    {
        Assert.Contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", Fails(() => ones(2, 3).matmul(ones(2, 3))), StringComparison.Ordinal);
        Assert.Contains("The size of tensor a (3) must match the size of tensor b (2)", Fails(() => ones(3) + ones(2)), StringComparison.Ordinal);
        Assert.Contains("shape '[4]' is invalid for input of size 6", Fails(() => ones(2, 3).view(4)), StringComparison.Ordinal);
        Assert.Contains("Dimension out of range", Fails(() => ones(2).sum(1)), StringComparison.Ordinal);
        Assert.Contains("einsum()", Fails(() => einsum("ij,jk", ones(2), ones(2))), StringComparison.Ordinal);
        Assert.Contains("Sizes of tensors must match", Fails(() => cat([ones(2, 1), ones(3, 2)], 1)), StringComparison.Ordinal);
        Assert.Equal(2f, ones(2).sum().item<float>());
    }

    private static string Fails(Func<Tensor> action) => Assert.Throws<ExternalException>(action).Message;
}
