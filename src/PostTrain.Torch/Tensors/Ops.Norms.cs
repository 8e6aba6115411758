using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        linalg_norm = new("linalg_norm"),
        linalg_norm_ord_str = new("linalg_norm.ord_str"),
        linalg_vector_norm = new("linalg_vector_norm"),
        linalg_matrix_norm = new("linalg_matrix_norm"),
        linalg_matrix_norm_str_ord = new("linalg_matrix_norm.str_ord"),
        linalg_vecdot = new("linalg_vecdot"),
        linalg_svd = new("linalg_svd"),
        linalg_svdvals = new("linalg_svdvals"),
        linalg_qr = new("linalg_qr"),
        linalg_eigh = new("linalg_eigh"),
        linalg_eigvalsh = new("linalg_eigvalsh"),
        linalg_cholesky = new("linalg_cholesky"),
        linalg_det = new("linalg_det"),
        linalg_inv = new("linalg_inv"),
        linalg_pinv_atol_rtol_float = new("linalg_pinv.atol_rtol_float"),
        linalg_matrix_rank_atol_rtol_float = new("linalg_matrix_rank.atol_rtol_float"),
        linalg_solve = new("linalg_solve"),
        linalg_solve_triangular = new("linalg_solve_triangular"),
        linalg_cross = new("linalg_cross"),
        linalg_matrix_exp = new("linalg_matrix_exp"),
        linalg_cond = new("linalg_cond"),
        linalg_diagonal = new("linalg_diagonal"),
        linalg_vander = new("linalg_vander");
}
