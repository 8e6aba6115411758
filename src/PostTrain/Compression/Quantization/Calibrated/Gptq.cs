using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>GPTQ (Frantar et al. 2022, arXiv:2210.17323): columns are rounded one after the other, and each rounding error is made up for
/// in
/// the columns that follow, W[:, j+1:] −= e_j [H⁻¹]_{j, j+1:} / [H⁻¹]_{jj} with H⁻¹ of the columns that are left (eq. 3, algorithm
/// 1).</summary>
public static class Gptq
{
    /// <summary>Quantises a weight against the inputs that it multiplies.</summary>
    /// <param name="weight">[out,in], finite.</param>
    /// <param name="hessian">2/sequences · Σ x xᵀ, [in,in] (<see cref="LayerStatistics.Hessian"/>); it stays as it is. A column that no
    /// input
    /// ever used, 0 on the diagonal, is set to 0.</param>
    /// <param name="options">Groups, order, damping.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or the damped Hessian is not positive definite.</exception>
    public static GptqResult Quantize(Tensor weight, Tensor hessian, GptqOptions? options = null)
    {
        options ??= new GptqOptions();
        options.Validate();
        QuantizedTensor.CheckInput(weight, nameof(weight));
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        InverseFactor.Check(hessian, weight.size(1));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().AtLeastSingle().clone();
        var columns = w.size(1);
        var size = IntegerQuantization.GroupSize(options.Integers, columns);
        var whole = options.Integers.GroupSize == 0;
        var scales = new List<IntegerScale>();
        if (whole)
            scales.Add(IntegerScale.Of(w, options.Integers));
        var h = hessian.detach().to_type(w.dtype).clone();
        var dead = h.diagonal().eq(0);
        h.diagonal().add_(dead.to_type(w.dtype));
        w.masked_fill_(dead.unsqueeze(0), 0);
        if (!whole && options.StaticGroups)
        {
            for (long start = 0; start < columns; start += size)
                scales.Add(IntegerScale.Of(w.narrow(1, start, Math.Min(size, columns - start)), options.Integers));
        }

        var order = arange(columns, device: w.device);
        if (options.ActivationOrder)
        {
            order = argsort(h.diagonal(), descending: true);
            w = w.index_select(1, order);
            h = h.index_select(0, order).index_select(1, order);
        }

        var places = order.cpu().data<long>().ToArray();
        var factor = InverseFactor.Of(h, options.Damping);
        var codes = new Tensor[columns];
        var groups = new long[columns];
        var loss = zeros(1, dtype: w.dtype, device: w.device);
        for (long start = 0; start < columns; start += options.BlockSize)
        {
            using var blockScope = NewDisposeScope();
            var count = Math.Min(options.BlockSize, columns - start);
            var block = w.narrow(1, start, count).clone();
            var inner = factor.narrow(0, start, count).narrow(1, start, count);
            var errors = new Tensor[count];
            for (long i = 0; i < count; i++)
            {
                var at = start + i;
                if (!whole && !options.StaticGroups && at % size == 0)
                    scales.Add(Kept(IntegerScale.Of(w.narrow(1, at, Math.Min(size, columns - at)), options.Integers), scope));
                groups[at] =
                    whole ? 0
                    : options.StaticGroups ? places[at] / size
                    : at / size;
                var scale = scales[(int)groups[at]];
                var column = block.narrow(1, i, 1);
                codes[at] = scale.Codes(column).MoveToOtherDisposeScope(scope);
                var diagonal = inner[i, i];
                var error = (column - (codes[at] - scale.Zero) * scale.Scale) / diagonal;
                loss.add_(error.square().sum() / 2.0);
                block.narrow(1, i, count - i).sub_(error.mm(inner.narrow(0, i, 1).narrow(1, i, count - i)));
                errors[i] = error;
            }

            var rest = columns - start - count;
            if (rest > 0)
                w.narrow(1, start + count, rest).sub_(cat(errors, 1).mm(factor.narrow(0, start, count).narrow(1, start + count, rest)));
        }

        var inOrder = new Tensor[columns];
        var groupOf = new long[columns];
        for (var i = 0; i < columns; i++)
            (inOrder[places[i]], groupOf[places[i]]) = (codes[i], groups[i]);
        var scattered = options.ActivationOrder && !options.StaticGroups && !whole;
        var result = IntegerQuantization.Record(
            weight,
            options.Integers.Bits,
            size,
            cat(inOrder, 1),
            scales,
            scattered ? tensor(groupOf, device: w.device) : null
        );
        return new GptqResult(result, loss.ToDouble(), [.. places.Select(place => (int)place)]);
    }

    private static IntegerScale Kept(IntegerScale scale, DisposeScope scope) =>
        scale with
        {
            Scale = scale.Scale.MoveToOtherDisposeScope(scope),
            Zero = scale.Zero.MoveToOtherDisposeScope(scope),
        };
}
