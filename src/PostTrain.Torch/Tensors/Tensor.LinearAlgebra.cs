namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor matmul(Tensor target) => Ops.matmul.Call(this, target);
        public Tensor mm(Tensor target) => Ops.mm.Call(this, target);
        public Tensor bmm(Tensor batch2) => Ops.bmm.Call(this, batch2);
        public Tensor mv(Tensor target) => Ops.mv.Call(this, target);
        public Tensor dot(Tensor target) => Ops.dot.Call(this, target);
        public Tensor vdot(Tensor target) => Ops.vdot.Call(this, target);
        public Tensor inner(Tensor vec2) => Ops.inner.Call(this, vec2);
        public Tensor outer(Tensor vec2) => Ops.outer.Call(this, vec2);
        public Tensor ger(Tensor vec2) => Ops.ger.Call(this, vec2);
        public Tensor kron(Tensor other) => Ops.kron.Call(this, other);
        public Tensor trace() => Ops.trace.Call(this);
        public Tensor det() => Ops.det.Call(this);
        public Tensor logdet() => Ops.logdet.Call(this);
        public Tensor matrix_exp() => Ops.matrix_exp.Call(this);
        public Tensor matrix_power(int n) => Ops.matrix_power.Call(this, n);
        public Tensor adjoint() => Ops.adjoint.Call(this);
        public Tensor cholesky_inverse(bool upper = false) => Ops.cholesky_inverse.Call(this, upper);
        public Tensor cholesky_solve(Tensor input2, bool upper = false) => Ops.cholesky_solve.Call(this, input2, upper);
        public Tensor inverse() => Ops.inverse.Call(this);
        public Tensor pinverse(double rcond = 1e-15, bool hermitian = false) => Ops.linalg_pinv.Call(this, rcond, hermitian);
        public (Tensor a, Tensor tau) geqrf() => Ops.geqrf.Call2(this);
        public Tensor ormqr(Tensor tau, Tensor other, bool left = true, bool transpose = false) =>
            Ops.ormqr.Call(this, tau, other, left, transpose);
        public Tensor tensordot(Tensor b, long dims = 2) => TensordotLast(b, dims);
        public Tensor tensordot(Tensor b, long[] dims1, long[] dims2) => Ops.tensordot.Call(this, b, dims1, dims2);
        public Tensor tensordot(Tensor b, (long, long)[] dims) =>
            Ops.tensordot.Call(this, b, Array.ConvertAll(dims, pair => pair.Item1), Array.ConvertAll(dims, pair => pair.Item2));
        public Tensor vander(long N = -1, bool increasing = false) => Vandermonde(N == -1 ? null : N, increasing);

        // linalg_vander has a gradient, which aten::vander lacks.
        private Tensor Vandermonde(long? columns, bool increasing)
        {
            var rising = Ops.linalg_vander.Call(this, columns);
            if (increasing) return rising;
            using (rising) return rising.flip(-1);
        }

        // The last dims dimensions of this tensor against the first ones of b.
        private Tensor TensordotLast(Tensor b, long dims)
        {
            var last = new long[dims];
            var first = new long[dims];
            for (long i = 0; i < dims; i++) (last[i], first[i]) = (i - dims, i);
            return Ops.tensordot.Call(this, b, last, first);
        }
    }

    public static Tensor vander(Tensor x, long N = -1, bool increasing = false) => x.vander(N, increasing);
    public static Tensor einsum(string equation, params Tensor[] tensors) => Ops.einsum.Call(equation, tensors);
    public static Tensor chain_matmul(params Tensor[] matrices) => Ops.linalg_multi_dot.Call(matrices);
    public static Tensor tensordot(Tensor a, Tensor b, long dims = 2) => a.tensordot(b, dims);
    public static Tensor tensordot(Tensor a, Tensor b, long[] dims1, long[] dims2) => a.tensordot(b, dims1, dims2);
    public static Tensor tensordot(Tensor a, Tensor b, (long, long)[] dims) => a.tensordot(b, dims);
    public static (Tensor res, Tensor logabsdet) slogdet(Tensor A) => Ops.linalg_slogdet.Call2(A);
    public static Tensor dot(Tensor input, Tensor other) => input.dot(other);
    public static (Tensor a, Tensor tau) geqrf(Tensor input) => input.geqrf();
    public static Tensor adjoint(Tensor input) => input.adjoint();
    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);
    public static Tensor cholesky_inverse(Tensor input, bool upper = false) => input.cholesky_inverse(upper);
    public static Tensor cholesky_solve(Tensor input, Tensor input2, bool upper = false) => input.cholesky_solve(input2, upper);
    public static Tensor det(Tensor input) => input.det();
    public static Tensor ger(Tensor input, Tensor vec2) => input.ger(vec2);
    public static Tensor inner(Tensor input, Tensor vec2) => input.inner(vec2);
    public static Tensor inverse(Tensor input) => input.inverse();
    public static Tensor kron(Tensor input, Tensor other) => input.kron(other);
    public static Tensor logdet(Tensor input) => input.logdet();
    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);
    public static Tensor matrix_exp(Tensor input) => input.matrix_exp();
    public static Tensor matrix_power(Tensor input, int n) => input.matrix_power(n);
    public static Tensor mm(Tensor input, Tensor target) => input.mm(target);
    public static Tensor mv(Tensor input, Tensor target) => input.mv(target);
    public static Tensor ormqr(Tensor input, Tensor tau, Tensor other, bool left = true, bool transpose = false) =>
        input.ormqr(tau, other, left, transpose);
    public static Tensor outer(Tensor input, Tensor vec2) => input.outer(vec2);
    public static Tensor pinverse(Tensor input, double rcond = 1e-15, bool hermitian = false) => input.pinverse(rcond, hermitian);
    public static Tensor trace(Tensor input) => input.trace();
    public static Tensor vdot(Tensor input, Tensor target) => input.vdot(target);
}
