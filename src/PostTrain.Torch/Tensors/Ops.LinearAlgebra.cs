using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        matmul = new("matmul"),
        mm = new("mm"),
        bmm = new("bmm"),
        mv = new("mv"),
        dot = new("dot"),
        vdot = new("vdot"),
        inner = new("inner"),
        outer = new("outer"),
        ger = new("ger"),
        kron = new("kron"),
        trace = new("trace"),
        det = new("det"),
        logdet = new("logdet"),
        matrix_exp = new("matrix_exp"),
        matrix_power = new("matrix_power"),
        adjoint = new("adjoint"),
        cholesky_inverse = new("cholesky_inverse"),
        cholesky_solve = new("cholesky_solve"),
        inverse = new("inverse"),
        linalg_pinv = new("linalg_pinv"),
        geqrf = new("geqrf"),
        ormqr = new("ormqr"),
        tensordot = new("tensordot"),
        einsum = new("einsum"),
        linalg_multi_dot = new("linalg_multi_dot"),
        linalg_slogdet = new("linalg_slogdet");
}
