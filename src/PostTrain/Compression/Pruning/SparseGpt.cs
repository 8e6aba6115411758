using PostTrain.Compression.Quantization;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>SparseGPT (Frantar, Alistarh 2023, arXiv:2301.00774, algorithm 1): entries with the least w² / [H⁻¹]_jj go, column after
/// column,
/// and what stays makes up for them: the step of Optimal Brain Surgeon, whose loss for one entry is w² / 2[H⁻¹]_jj.</summary>
public static class SparseGpt
{
    /// <summary>Prunes a weight against the inputs that it multiplies.</summary>
    /// <param name="weight">[out,in], finite.</param>
    /// <param name="hessian">2/sequences · Σ x xᵀ, [in,in] (<see cref="LayerStatistics.Hessian"/>); it stays as it is. A column that no
    /// input
    /// ever used, 0 on the diagonal, is set to 0.</param>
    /// <param name="options">How much, damping, blocks.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or the damped Hessian is not positive definite.</exception>
    public static SparseGptResult Prune(Tensor weight, Tensor hessian, SparseGptOptions? options = null)
    {
        options ??= new SparseGptOptions();
        options.Validate();
        QuantizedTensor.CheckInput(weight, nameof(weight));
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        InverseFactor.Check(hessian, weight.size(1));
        var sparsity = options.Sparsity;
        sparsity.Fit(weight.size(1), nameof(weight));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().AtLeastSingle().clone();
        var columns = w.size(1);
        IntegerScale? range = options.Quantization is { } integers ? IntegerScale.Of(w, integers) : null;
        var h = hessian.detach().to_type(w.dtype).clone();
        var dead = h.diagonal().eq(0);
        h.diagonal().add_(dead.to_type(w.dtype));
        w.masked_fill_(dead.unsqueeze(0), 0);
        var factor = InverseFactor.Of(h, options.Damping);
        var kept = ones_like(w, dtype: ScalarType.Bool);
        var loss = zeros(1, dtype: w.dtype, device: w.device);
        for (long start = 0; start < columns; start += options.BlockSize)
        {
            using var blockScope = NewDisposeScope();
            var count = Math.Min(options.BlockSize, columns - start);
            var block = w.narrow(1, start, count).clone();
            var inner = factor.narrow(0, start, count).narrow(1, start, count);
            var diagonal = inner.diagonal();
            var stays = kept.narrow(1, start, count);
            if (!sparsity.IsStructured)
                stays.copy_(Masks.OfMatrix(block.square() / diagonal.square(), sparsity));
            var errors = new Tensor[count];
            for (long i = 0; i < count; i++)
            {
                if (sparsity.IsStructured && i % sparsity.Of == 0)
                {
                    var group = block.narrow(1, i, sparsity.Of).square() / diagonal.narrow(0, i, sparsity.Of).square();
                    stays.narrow(1, i, sparsity.Of).copy_(Masks.OfRows(group, sparsity));
                }

                var column = block.narrow(1, i, 1);
                var rounded = column.masked_fill(stays.narrow(1, i, 1).logical_not(), 0);
                if (range is { } given)
                    rounded = given.Apply(rounded);
                var step = diagonal[i];
                var error = (column - rounded) / step;
                loss.add_(error.square().sum() / 2.0);
                w.narrow(1, start + i, 1).copy_(rounded);
                block.narrow(1, i, count - i).sub_(error.mm(inner.narrow(0, i, 1).narrow(1, i, count - i)));
                errors[i] = error;
            }

            var rest = columns - start - count;
            if (rest > 0)
                w.narrow(1, start + count, rest).sub_(cat(errors, 1).mm(factor.narrow(0, start, count).narrow(1, start + count, rest)));
        }

        return new SparseGptResult(
            new PrunedWeight(w.to_type(weight.dtype).MoveToOuterDisposeScope(), kept.MoveToOuterDisposeScope()),
            loss.ToDouble()
        );
    }
}
