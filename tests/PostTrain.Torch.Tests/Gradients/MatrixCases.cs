using TorchSharp;
using static PostTrain.Torch.Tests.Gradients.Domain;
using static PostTrain.Torch.Tests.Gradients.GradientCase;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Products, norms, decompositions and solutions.</summary>
internal static class MatrixCases
{
    internal static IEnumerable<GradientCase> All => [.. Products, .. Sums, .. Decompositions];

    private static GradientCase[] Products =>
    [
        Of("matmul", Real(2, 3), Real(3, 4), (x, y) => x.matmul(y)),
        Of("matmul batch", Real(2, 2, 3), Real(3, 2), (x, y) => x.matmul(y)),
        Of("mm", Real(2, 3), Real(3, 2), (x, y) => x.mm(y)),
        Of("bmm", Real(2, 2, 3), Real(2, 3, 2), (x, y) => x.bmm(y)),
        Of("mv", Real(2, 3), Real(3), (x, y) => x.mv(y)),
        Of("dot", Real(3), Real(3), (x, y) => x.dot(y)),
        Of("vdot", Real(3), Real(3), (x, y) => x.vdot(y)),
        Of("inner", Real(2, 3), Real(3), (x, y) => x.inner(y)),
        Of("outer", Real(2), Real(3), (x, y) => x.outer(y)),
        Of("ger", Real(2), Real(3), (x, y) => x.ger(y)),
        Of("kron", Real(2, 2), Real(2), (x, y) => x.kron(y)),
        Of("trace", Real(3, 3), x => x.trace()),
        Of("adjoint", Real(2, 3), x => x.adjoint()),
        Of("tensordot", Real(2, 3), Real(3, 2), (x, y) => x.tensordot(y, 1)),
        Of("einsum matrix", Real(2, 3), Real(3, 2), (x, y) => einsum("ij,jk->ik", x, y)),
        Of("einsum batch", Real(2, 2, 3), Real(2, 3), (x, y) => einsum("bij,bj->bi", x, y)),
        Of("einsum trace", Real(3, 3), x => einsum("ii->", x)),
        Of("chain_matmul", Real(2, 3), Real(3, 2), Real(2, 2), (x, y, z) => chain_matmul(x, y, z)),
        Of("vecdot", Real(2, 3), Real(2, 3), (x, y) => linalg.vecdot(x, y)),
        Of("cross", Real(2, 3), Real(2, 3), (x, y) => linalg.cross(x, y)),
        Of("vander", Real(3), x => x.vander()),
        Of("linalg.vander", Real(3), x => linalg.vander(x)),
        Of("linalg.diagonal", Real(3, 3), x => linalg.diagonal(x)),
    ];

    private static GradientCase[] Sums =>
    [
        Of("addmm", Real(2, 2), Real(2, 3), Real(3, 2), (x, y, z) => x.addmm(y, z, 0.5f, 2)),
        Of("addmm_", Real(2, 2), Real(2, 3), Real(3, 2), (x, y, z) => x.clone().addmm_(y, z)),
        Of("addbmm", Real(2, 2), Real(2, 2, 3), Real(2, 3, 2), (x, y, z) => x.addbmm(y, z)),
        Of("addbmm_", Real(2, 2), Real(2, 2, 3), Real(2, 3, 2), (x, y, z) => x.clone().addbmm_(y, z)),
        Of("baddbmm", Real(2, 2, 2), Real(2, 2, 3), Real(2, 3, 2), (x, y, z) => x.baddbmm(y, z)),
        Of("addmv", Real(2), Real(2, 3), Real(3), (x, y, z) => x.addmv(y, z)),
        Of("addmv_", Real(2), Real(2, 3), Real(3), (x, y, z) => x.clone().addmv_(y, z)),
        Of("addr", Real(2, 3), Real(2), Real(3), (x, y, z) => x.addr(y, z)),
        Of("addr_", Real(2, 3), Real(2), Real(3), (x, y, z) => x.clone().addr_(y, z)),
    ];

    private static GradientCase[] Decompositions =>
    [
        Of("linalg.norm", Real(2, 3), x => linalg.norm(x)),
        Of("linalg.norm fro", Real(2, 3), x => linalg.norm(x, "fro")),
        Of("vector_norm 3", Real(2, 3), x => linalg.vector_norm(x, 3, [1])),
        Of("matrix_norm 2", Real(2, 3), x => linalg.matrix_norm(x, 2.0)),
        Of("matrix_norm nuc", Real(2, 3), x => linalg.matrix_norm(x, "nuc")),
        Of("svd", Real(2, 3), x => linalg.svd(x, fullMatrices: false) is var (u, s, vh) ? u.matmul(s.exp().diag()).matmul(vh) : x),
        Of("svdvals", Real(2, 3), x => linalg.svdvals(x)),
        Of("qr", Real(3, 2), x => linalg.qr(x) is var (q, r) ? Joined(q, r) : x),
        Of("eigh", Real(3, 3), x => linalg.eigh(x + x.mT) is var (values, vectors) ? Joined(values, vectors.pow(2)) : x),
        Of("eigvalsh", Real(3, 3), x => linalg.eigvalsh(x + x.mT)),
        Of("cholesky", Real(3, 3), x => linalg.cholesky(Definite(x))),
        Of("cholesky_inverse", Real(3, 3), x => linalg.cholesky(Definite(x)).cholesky_inverse()),
        Of("cholesky_solve", Real(3, 2), Real(3, 3), (b, x) => b.cholesky_solve(linalg.cholesky(Definite(x)))),
        Of("det", Real(3, 3), x => Definite(x).det()),
        Of("linalg.det", Real(3, 3), x => linalg.det(Definite(x))),
        Of("logdet", Real(3, 3), x => Definite(x).logdet()),
        Of("slogdet", Real(3, 3), x => linalg.slogdet(Definite(x)).Item2),
        Of("inverse", Real(3, 3), x => Definite(x).inverse()),
        Of("linalg.inv", Real(3, 3), x => linalg.inv(Definite(x))),
        Of("pinverse", Real(3, 2), x => x.pinverse()),
        Of("linalg.pinv", Real(3, 2), x => linalg.pinv(x)),
        Of("matrix_exp", Real(2, 2), x => x.matrix_exp()),
        Of("linalg.matrix_exp", Real(2, 2), x => linalg.matrix_exp(x)),
        Of("matrix_power", Real(2, 2), x => x.matrix_power(3)),
        Of("cond", Real(2, 2), x => linalg.cond(x)),
        Of("solve", Real(3, 3), Real(3, 2), (a, b) => linalg.solve(Definite(a), b)),
        Of("solve_triangular", Real(3, 3), Real(3, 2), (a, b) => linalg.solve_triangular(a + 3 * eye(3, dtype: ScalarType.Float64), b, upper: true)),
    ];

    private static Tensor Definite(Tensor x) => x.matmul(x.mT) + eye(x.size(0), dtype: ScalarType.Float64);
}
