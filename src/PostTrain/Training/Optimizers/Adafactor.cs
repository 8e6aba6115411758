using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>Adafactor: Adam's second moment as the product of a column and a row, by default without a first moment.</summary>
/// <remarks>Shazeer and Stern 2018, arXiv:1804.04235, algorithms 4 (matrices) and 5 (vectors), as in transformers' <c>Adafactor</c>: V ←
/// β₂V + (1 − β₂)(G² + ε₁), stored for a matrix as the means R over rows and C over columns, V̂ = R·C/mean(R); U = G/√V̂, θ ← θ − η·λθ −
/// η·U/max(1, RMS(U)/d). State and arithmetic have at least 32 bits.</remarks>
internal sealed class Adafactor(IReadOnlyList<ParameterGroup> groups, AdafactorOptions options)
    : TensorOptimizer(groups, parameter => Layout(parameter.shape, options.Beta1 is not null), Precision.AtLeastSingle)
{
    private const string Row = "exp_avg_sq_row",
        Column = "exp_avg_sq_col",
        Square = "exp_avg_sq",
        Average = "exp_avg";

    private protected override void Update(Tensor parameter, Tensor gradient, State state, double rate, double weightDecay)
    {
        var (weight, slope) = (parameter.AtLeastSingle(), gradient.AtLeastSingle());
        var size = StepSize(weight, state.Updates, rate);
        var update = Scaled(slope, state);
        update.div_(RootMeanSquare(update).div_(options.ClipThreshold).clamp_min_(1)).mul_(size);
        if (options.Beta1 is { } beta)
            update = state[Average].mul_(beta).add_(update, 1 - beta);
        // The decay applies to the weights before the update; a copy, since the weights may be the parameter itself.
        if (weightDecay != 0)
            update = weight * (size * weightDecay) + update;
        parameter.copy_(weight - update);
    }

    // Divides the gradient by the root of its mean square, stored for a matrix as means over rows and over columns.
    private Tensor Scaled(Tensor gradient, State state)
    {
        double decay = 1 - Math.Pow(state.Updates, options.DecayRate);
        var square = gradient.square().add_(options.SquareEpsilon);
        if (gradient.dim() < 2)
            return gradient / state[Square].mul_(decay).add_(square, 1 - decay).sqrt();
        var row = state[Row].mul_(decay).add_(square.mean([-1]), 1 - decay);
        var column = state[Column].mul_(decay).add_(square.mean([-2]), 1 - decay);
        return (row / row.mean([-1], keepdim: true)).rsqrt().unsqueeze(-1) * column.unsqueeze(-2).rsqrt() * gradient;
    }

    private Tensor StepSize(Tensor weight, long step, double rate)
    {
        double size = options.RelativeStep ? Math.Min(options.RelativeWarmup ? 1e-6 * step : 1e-2, 1 / Math.Sqrt(step)) : rate;
        return options.ScaleByParameter
            ? RootMeanSquare(weight).clamp_min_(options.ScaleEpsilon).mul_(size)
            : full([], size, dtype: weight.dtype, device: weight.device);
    }

    private static Tensor RootMeanSquare(Tensor values) => values.norm().div_(Math.Sqrt(values.NumberOfElements));

    private static IEnumerable<(string Name, long[] Shape)> Layout(long[] shape, bool average)
    {
        if (average)
            yield return (Average, shape);
        if (shape.Length < 2)
        {
            yield return (Square, shape);
            yield break;
        }
        yield return (Row, shape[..^1]);
        yield return (Column, [.. shape[..^2], shape[^1]]);
    }
}
