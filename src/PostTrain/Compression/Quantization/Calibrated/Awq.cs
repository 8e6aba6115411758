using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>AWQ (Lin et al. 2023, arXiv:2306.00978): a weight's columns are multiplied by scales s = mean|x|^α and its inputs divided by
/// them, so that the error is small for large inputs; α is searched (section 3.2).</summary>
public static class Awq
{
    private const double LeastScale = 1e-4;

    /// <summary>Searches the exponent for weights that share their inputs.</summary>
    /// <param name="weights">[out,in] each.</param>
    /// <param name="meanMagnitude">Mean |x| of each input, [in] (<see cref="LayerStatistics.MeanMagnitude"/>).</param>
    /// <param name="loss">The error of the outputs, of a layer or of a whole block, with these weights in the place of the given
    /// ones.</param>
    /// <param name="options">Bits, groups, grid.</param>
    /// <returns>The first exponent of least error; exponent 0, no scales, is among those tried.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static AwqScales Search(
        IReadOnlyList<Tensor> weights,
        Tensor meanMagnitude,
        Func<IReadOnlyList<Tensor>, double> loss,
        AwqOptions? options = null
    )
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(loss);
        Guard.Rank(meanMagnitude, nameof(meanMagnitude), 1, "[in]");
        options ??= new AwqOptions();
        options.Validate();
        foreach (var weight in weights)
        {
            ArgumentNullException.ThrowIfNull(weight, nameof(weights));
            if (weight.dim() != 2 || weight.size(1) != meanMagnitude.size(0))
                throw new ArgumentException(
                    $"a weight has shape {Guard.Shape(weight)}, expected [out, {meanMagnitude.size(0)}] as meanMagnitude",
                    nameof(weights)
                );
        }

        if (weights.Count == 0)
            throw new ArgumentException("weights is empty, expected at least one", nameof(weights));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var type = Precision.AtLeastSingle(weights[0].dtype);
        var losses = new List<double>();
        var (best, exponent, found) = (double.PositiveInfinity, 0.0, (Tensor?)null);
        for (var i = 0; i < options.Grid; i++)
        {
            using var tried = NewDisposeScope();
            var alpha = i / (double)options.Grid;
            var scales = meanMagnitude.detach().to_type(type).pow(alpha).clamp_min(LeastScale);
            scales = scales / (scales.max() * scales.min()).sqrt();
            var value = loss([.. weights.Select(weight => Rounded(weight.detach().to_type(type), scales, options))]);
            losses.Add(value);
            if (!(value < best))
                continue;
            (best, exponent) = (value, alpha);
            found?.Dispose();
            found = scales.MoveToOtherDisposeScope(scope);
        }

        if (found is null)
            throw new ArgumentException("loss gave no finite number for any exponent, expected a mean squared error", nameof(loss));
        return new AwqScales(found.MoveToOuterDisposeScope(), exponent, losses);
    }

    /// <summary>Searches the exponent for one linear layer by the error of its outputs on the calibration inputs.</summary>
    public static AwqScales Search(Tensor weight, LayerStatistics statistics, AwqOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        using var scope = NewDisposeScope();
        var before = weight.detach().AtLeastSingle();
        var found = Search([weight], statistics.MeanMagnitude(), changed => statistics.OutputError(changed[0] - before), options);
        return found with { Scales = found.Scales.MoveToOuterDisposeScope() };
    }

    /// <summary>Searches the largest magnitude of each group: the shrink factor whose quantised, clamped weights give the least error of
    /// that group's part of the outputs.</summary>
    /// <param name="weight">[out,in], in whole groups.</param>
    /// <param name="input">[tokens,in].</param>
    /// <param name="options">Bits, groups.</param>
    /// <param name="grid">Factors 1 − i/grid are tried, at least 1.</param>
    /// <param name="shrink">The part of the grid that is tried, above 0 and at most 1.</param>
    /// <param name="samples">Every (tokens / samples)-th input counts, at least 1.</param>
    /// <returns>[out, groups, 1].</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Clip(
        Tensor weight,
        Tensor input,
        AwqOptions? options = null,
        int grid = 20,
        double shrink = 0.5,
        int samples = 512
    )
    {
        options ??= new AwqOptions();
        options.Validate();
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        Guard.Rank(input, nameof(input), 2, "[tokens, in]");
        Guard.AtLeast(grid, 1, nameof(grid));
        Guard.Positive(shrink, nameof(shrink));
        Guard.Fraction(shrink, nameof(shrink));
        Guard.AtLeast(samples, 1, nameof(samples));
        QuantizedTensor.CheckInput(weight, nameof(weight));
        Guard.Floating(input, nameof(input));
        var (rows, columns, size) = (weight.size(0), weight.size(1), IntegerQuantization.GroupSize(options.Integers, weight.size(1)));
        if (input.size(1) != columns || input.size(0) == 0 || columns % size != 0)
            throw new ArgumentException(
                $"input has shape {Guard.Shape(input)} and groups have {size} columns, expected [tokens, {columns}] in whole groups",
                nameof(input)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().AtLeastSingle();
        var step = Math.Max(1, input.size(0) / samples);
        var picked = input.detach().to_type(w.dtype).index_select(0, arange(0, input.size(0), step, device: input.device));
        // [groups, tokens, size] and [groups, size, rows]: one product a group.
        var x = picked.view(picked.size(0), -1, size).transpose(0, 1);
        var parts = w.view(rows, -1, size);
        var most = parts.abs().amax([-1L], true);
        var (best, least) = (most, full_like(most, double.PositiveInfinity));
        var before = Outputs(parts);
        for (var i = 0; i < (int)(shrink * grid); i++)
        {
            using var tried = NewDisposeScope();
            var limit = most * (1 - i / (double)grid);
            var clamped = parts.minimum(limit).maximum(limit.neg());
            var rounded = IntegerQuantization.Rounded(clamped.reshape(rows, columns), options.Integers).view(rows, -1, size);
            // [groups, tokens, rows] to [rows, groups, 1].
            var error = (Outputs(rounded) - before).square().mean([1L]).t().unsqueeze(-1);
            var better = error.lt(least);
            (best, least) = (
                where(better, limit, best).MoveToOtherDisposeScope(scope),
                where(better, error, least).MoveToOtherDisposeScope(scope)
            );
        }

        return best.clone().MoveToOuterDisposeScope();

        Tensor Outputs(Tensor grouped) => x.bmm(grouped.permute(1, 2, 0));
    }

    /// <summary>Quantises a weight with the scales that the search finds, and with clipped groups where the options say so.</summary>
    /// <exception cref="ArgumentException">Shapes do not agree, or clipping is asked for and no inputs were kept.</exception>
    public static ColumnScaledQuantized Quantize(Tensor weight, LayerStatistics statistics, AwqOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        options ??= new AwqOptions();
        QuantizedTensor.CheckInput(weight, nameof(weight));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var scales = Search(weight, statistics, options).Scales;
        var scaled = weight.detach().AtLeastSingle() * scales;
        if (options.Clip)
        {
            var samples =
                statistics.Samples
                ?? throw new ArgumentException(
                    "clipping needs inputs, but calibration kept none: calibrate with Samples above 0",
                    nameof(statistics)
                );
            var limit = Clip(scaled, samples.to_type(scaled.dtype) / scales, options);
            var parts = scaled.view(scaled.size(0), limit.size(1), -1);
            scaled = parts.minimum(limit).maximum(limit.neg()).reshape(scaled.shape);
        }

        var inner = IntegerQuantization.Quantize(scaled, options.Integers) with { Type = weight.dtype };
        return new ColumnScaledQuantized(inner, scales.to_type(ScalarType.Float32).DetachFromDisposeScope());
    }

    private static Tensor Rounded(Tensor weight, Tensor scales, AwqOptions options)
    {
        using var scope = NewDisposeScope();
        return (IntegerQuantization.Rounded(weight * scales, options.Integers) / scales).MoveToOuterDisposeScope();
    }
}
