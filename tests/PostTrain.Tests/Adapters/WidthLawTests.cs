using PostTrain.Adapters.Prompts;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;
using Numbers = PostTrain.Tests.Support.Numbers;

namespace PostTrain.Tests.Adapters;

/// <summary>Why prompt tuning closes the gap to full tuning as the model gets wider, where it can be worked out exactly.</summary>
public sealed class WidthLawTests
{
    private const int Vocabulary = 33;
    private const int Draws = 60;

    // A wanted shift Δ of the logits (centred: a constant changes no probability) can be met up to the part outside the span of W: min ‖Δ −
    // W p‖² = ‖(I − Π_W)Δ‖², for random W on average (1 − d/(V−1))‖Δ‖². Δ is 1 long. The fraction is Beta((V−1−d)/2, d/2), whose variance
    // gives the tolerance of four standard errors.
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(24)]
    [InlineData(32)]
    public void LogLinear_BestResidual_IsTheProjection_AndItsMeanTheLaw(int width)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var ids = tensor(new long[] { 3, 1 }, [1, 2]);
        double total = 0;
        for (var draw = 0; draw < Draws; draw++)
        {
            using var inner = NewDisposeScope();
            var readout = Centred(Normal((ulong)draw, 1, Vocabulary, width));
            var wanted = Centred(Normal((ulong)draw, 2, Vocabulary, 1));
            wanted = wanted / wanted.norm();
            using var model = new LogLinearLm(Normal((ulong)draw, 3, Vocabulary, width), readout);
            using var prompted = new SoftPromptLm(model, new PromptTable(zeros([1, width], dtype: ScalarType.Float64)));
            var row = ((PromptTable)prompted.Encoder).Weight;
            var plain = prompted.call(ids);

            // The wrapper is linear in the prompt: its columns, one unit vector at a time, are W's.
            var columns = new List<Tensor>();
            for (var j = 0; j < width; j++)
            {
                row.zero_();
                row[0, j] = 1;
                columns.Add((prompted.call(ids) - plain)[0, 1]);
            }

            var shift = stack(columns, 1);
            Assert.True((shift - readout).abs().max().ToDouble() < 1e-12);
            var (outside, best) = Project(shift, wanted.squeeze(1));
            row.copy_(best.unsqueeze(0));
            var residual = (wanted.squeeze(1) - (prompted.call(ids) - plain)[0, 1]).square().sum().ToDouble();
            Assert.Equal(outside, residual, 1e-9);
            // Any other prompt is worse.
            row.add_(Normal((ulong)draw, 4, 1, width).mul(1e-2));
            Assert.True((wanted.squeeze(1) - (prompted.call(ids) - plain)[0, 1]).square().sum().ToDouble() >= residual);
            total += residual;
        }

        var law = 1 - width / (Vocabulary - 1.0);
        var deviation = Math.Sqrt(2 * law * (1 - law) / (Vocabulary + 1) / Draws);
        Assert.InRange(total / Draws, law - 4 * deviation - 1e-9, law + 4 * deviation + 1e-9);
    }

    // ‖(I − Π)Δ‖² by orthonormalising the columns (twice, for the digits), and the p that reaches it by back substitution.
    private static (double Outside, Tensor Best) Project(Tensor columns, Tensor wanted)
    {
        var (rows, width) = ((int)columns.size(0), (int)columns.size(1));
        var a = Numbers.Values(columns).Chunk(width).ToArray();
        var (basis, upper) = (new double[width][], new double[width, width]);
        for (var j = 0; j < width; j++)
        {
            var vector = a.Select(line => line[j]).ToArray();
            for (var pass = 0; pass < 2; pass++)
            {
                for (var k = 0; k < j; k++)
                {
                    var part = Dot(basis[k], vector);
                    upper[k, j] += part;
                    for (var i = 0; i < rows; i++)
                        vector[i] -= part * basis[k][i];
                }
            }

            upper[j, j] = Math.Sqrt(Dot(vector, vector));
            basis[j] = [.. vector.Select(value => value / upper[j, j])];
        }

        var target = Numbers.Values(wanted);
        var coordinates = basis.Select(vector => Dot(vector, target)).ToArray();
        var best = new double[width];
        for (var j = width - 1; j >= 0; j--)
            best[j] = (coordinates[j] - Enumerable.Range(j + 1, width - 1 - j).Sum(k => upper[j, k] * best[k])) / upper[j, j];
        return (Math.Max(0, Dot(target, target) - coordinates.Sum(value => value * value)), tensor(best));
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static Tensor Centred(Tensor matrix) => matrix - matrix.mean([0L], keepdim: true);

    private static Tensor Normal(ulong seed, ulong stream, long rows, long columns)
    {
        var values = new float[rows * columns];
        CounterRandom.FillNormal(values, seed, stream, 1);
        return tensor(values, [rows, columns]).to_type(ScalarType.Float64);
    }
}
