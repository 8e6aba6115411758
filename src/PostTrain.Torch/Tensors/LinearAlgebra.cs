using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Norms, decompositions and solutions; over the last two dimensions where a matrix is meant.</summary>
    public static class linalg
    {
        public enum QRMode
        {
            Reduced = 0,
            Complete = 1,
            R = 2,
        }

        /// <summary>The norm of all elements as one vector, or along <paramref name="dims"/>: Euclidean for one, Frobenius for two.</summary>
        public static Tensor norm(Tensor input, long[]? dims = null, bool keepdim = false) => Ops.linalg_norm.Call(input, Argument.None, dims, keepdim);

        public static Tensor norm(Tensor input, double ord, long[]? dims = null, bool keepdim = false) => Ops.linalg_norm.Call(input, ord, dims, keepdim);
        public static Tensor norm(Tensor input, int ord, long[]? dims = null, bool keepdim = false) => Ops.linalg_norm.Call(input, (long)ord, dims, keepdim);

        /// <param name="ord">"fro" or "nuc".</param>
        public static Tensor norm(Tensor input, string ord, long[]? dims = null, bool keepdim = false) => Ops.linalg_norm_ord_str.Call(input, ord, dims, keepdim);

        public static Tensor vector_norm(Tensor input, double ord = 2, long[]? dims = null, bool keepdim = false) => Ops.linalg_vector_norm.Call(input, ord, dims, keepdim);
        public static Tensor matrix_norm(Tensor input, double ord, long[]? dims = null, bool keepdim = false) => Ops.linalg_matrix_norm.Call(input, ord, dims ?? LastTwo, keepdim);
        public static Tensor matrix_norm(Tensor input, string ord = "fro", long[]? dims = null, bool keepdim = false) => Ops.linalg_matrix_norm_str_ord.Call(input, ord, dims ?? LastTwo, keepdim);

        public static Tensor vecdot(Tensor x, Tensor y, long dim = -1, Tensor? @out = null) => Into(@out, Ops.linalg_vecdot.Call(x, y, dim));
        public static Tensor cross(Tensor input, Tensor other, long dim = -1) => Ops.linalg_cross.Call(input, other, dim);
        public static Tensor multi_dot(IList<Tensor> tensors) => Ops.linalg_multi_dot.Call(tensors.ToArray());
        public static Tensor diagonal(Tensor input, int offset = 0, int dim1 = -2, int dim2 = -1) => Ops.linalg_diagonal.Call(input, offset, dim1, dim2);
        public static Tensor vander(Tensor input, long? N = null) => Ops.linalg_vander.Call(input, N);

        /// <summary>input = U diag(S) Vh with the singular values in falling order.</summary>
        public static (Tensor U, Tensor S, Tensor Vh) svd(Tensor input, bool fullMatrices = true) => Ops.linalg_svd.Call3(input, fullMatrices);

        public static Tensor svdvals(Tensor input) => Ops.linalg_svdvals.Call(input);

        /// <summary>input = Q R with orthonormal columns in Q and an upper triangle R.</summary>
        public static (Tensor Q, Tensor R) qr(Tensor input, QRMode mode = QRMode.Reduced) => Ops.linalg_qr.Call2(input, mode switch
        {
            QRMode.Complete => "complete",
            QRMode.R => "r",
            _ => "reduced",
        });

        /// <summary>Eigenvalues in rising order and eigenvectors in columns, of a symmetric matrix.</summary>
        public static (Tensor, Tensor) eigh(Tensor input, char UPLO = 'L') => Ops.linalg_eigh.Call2(input, UPLO.ToString());

        public static Tensor eigvalsh(Tensor input, char UPLO = 'L') => Ops.linalg_eigvalsh.Call(input, UPLO.ToString());
        public static Tensor cholesky(Tensor input) => Ops.linalg_cholesky.Call(input);
        public static Tensor det(Tensor input) => Ops.linalg_det.Call(input);
        public static (Tensor, Tensor) slogdet(Tensor input) => Ops.linalg_slogdet.Call2(input);
        public static Tensor inv(Tensor input) => Ops.linalg_inv.Call(input);
        public static Tensor pinv(Tensor input, double? atol = null, double? rtol = null, bool hermitian = false) => Ops.linalg_pinv_atol_rtol_float.Call(input, atol, rtol, hermitian);
        public static Tensor matrix_rank(Tensor input, double? atol = null, double? rtol = null, bool hermitian = false) => Ops.linalg_matrix_rank_atol_rtol_float.Call(input, atol, rtol, hermitian);
        public static Tensor matrix_exp(Tensor input) => Ops.linalg_matrix_exp.Call(input);
        public static Tensor cond(Tensor input) => Ops.linalg_cond.Call(input);
        public static Tensor cond(Tensor input, double p) => Ops.linalg_cond.Call(input, p);
        public static Tensor cond(Tensor input, int p) => Ops.linalg_cond.Call(input, (long)p);

        /// <summary>X of A X = B, or of X A = B when <paramref name="left"/> is false.</summary>
        public static Tensor solve(Tensor A, Tensor B, bool left = true) => Ops.linalg_solve.Call(A, B, left);

        public static Tensor solve_triangular(Tensor A, Tensor B, bool upper, bool left = true, bool unitriangular = false, Tensor? @out = null) =>
            Into(@out, Ops.linalg_solve_triangular.Call(A, B, upper, left, unitriangular));

        private static long[] LastTwo => [-2, -1];

        private static Tensor Into(Tensor? target, Tensor result)
        {
            if (target is null) return result;
            using (result) return target.copy_(result);
        }
    }
}
