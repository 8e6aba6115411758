using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>Muon: steps along the nearest semi-orthogonal matrix to the momentum. For matrices only.</summary>
/// <remarks>b ← μb + (1 − μ)g, u = (1 − μ)g + μb (Nesterov) or b, θ ← (1 − ηλ)θ − ηs·NewtonSchulz(u) with s of <see cref="MuonRate"/>.
/// Jordan et al. 2024; as in <c>torch.optim.Muon</c>, whose iterations run in bfloat16: here all results are rounded to it.</remarks>
internal sealed class Muon(IReadOnlyList<ParameterGroup> groups, MuonOptions options)
    : TensorOptimizer(groups, parameter => [(Momentum, Matrix(parameter.shape))], type => type)
{
    private const string Momentum = "momentum_buffer";

    private protected override void Update(Tensor parameter, Tensor gradient, State state, double rate, double weightDecay)
    {
        double momentum = options.Momentum;
        var average = state[Momentum].mul_(momentum).add_(gradient, 1 - momentum);
        var direction = options.Nesterov ? (gradient * (1 - momentum)).add_(average, momentum) : average;
        parameter.mul_(1 - rate * weightDecay).add_(Orthogonal(direction).to_type(parameter.dtype), -rate * Scale(parameter.shape));
    }

    // The polynomial brings all singular values near 1 (0.7 to 1.2), which suffices for a direction. Applied on the shorter side, where XXᵀ
    // is smaller.
    private Tensor Orthogonal(Tensor direction)
    {
        var (a, b, c) = options.Coefficients;
        bool tall = direction.shape[0] > direction.shape[1];
        var x = Rounded(tall ? direction.t() : direction);
        x = Rounded(x / Rounded(x.norm()).clamp_min_(options.Epsilon));
        for (int i = 0; i < options.Iterations; i++)
        {
            var gram = Rounded(x.mm(x.t()));
            x = Rounded(x.addmm(Rounded(gram.addmm(gram, gram, (float)b, (float)c)), x, (float)a));
        }
        return tall ? x.t() : x;
    }

    // To bfloat16 and back: sums of products stay in 32 bits, which a bfloat16 product does not guarantee on every device.
    private static Tensor Rounded(Tensor value) => value.to_type(ScalarType.BFloat16).to_type(ScalarType.Float32);

    private double Scale(long[] shape) =>
        options.Rate switch
        {
            MuonRate.Original => Math.Sqrt(Math.Max(1, (double)shape[0] / shape[1])),
            MuonRate.MatchAdamW => 0.2 * Math.Sqrt(Math.Max(shape[0], shape[1])),
            _ => 1,
        };

    private static long[] Matrix(long[] shape) =>
        shape.Length == 2
            ? shape
            : throw new ArgumentException($"a parameter has shape [{string.Join(", ", shape)}], expected a matrix for Muon", nameof(shape));
}
