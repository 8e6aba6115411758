using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>The draw in one pass over a row's memory against the draw by tensor operators and against the distribution.</summary>
public sealed class DirectDrawTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void TokensAndLogProbsAreThoseOfTheTensorOperators(ScalarType type)
    {
        var round = 0;
        foreach (var width in new[] { 1, 2, 9, 64, 65, 700 })
        foreach (var temperature in new[] { 0.0, 0.7, 1.0, 2.5 })
        foreach (var suppressed in new int[][] { [], [0], [width - 1] })
        {
            if (suppressed.Length > 0 && width == 1)
                continue;
            using var scope = NewDisposeScope();
            var options = new SamplingOptions { Temperature = temperature, SuppressedTokens = suppressed };
            using var sampler = new TokenSampler(options, width, CPU);
            var logits = (Numbers.Uniform(++round, 5, 6, width)).to_type(type);
            var uniforms = Enumerable.Range(0, 6).Select(row => CounterRandom.OpenUniform(4, (ulong)(round * 10 + row))).ToArray();
            var logProbs = zeros(6, 3, dtype: type);
            var direct = sampler.DrawDirectly(logits, 1, uniforms, _ => true, null, logProbs);
            Assert.NotNull(direct);
            var ids = zeros(6, 4, dtype: ScalarType.Int64);
            var (tokens, scores, _) = sampler.Draw(logits, ids, ones_like(ids), 1, tensor(uniforms, [6, 1]), (_, _) => { });
            Assert.Equal(tokens.data<long>().ToArray(), direct);
            TensorAssert.Close(scores.view(-1), logProbs.select(1, 1), type == ScalarType.Float64 ? 1e-12 : 2e-6);
            TensorAssert.Zero(logProbs.select(1, 0));
        }
    }

    [Fact]
    public unsafe void EveryTokenHasItsShareOfTheUniformNumbers()
    {
        // π = 0.5, 0.2, 0, 0.3 of numbers on a grid: cumulative 0.5, 0.7, 0.7, 1.
        var draw = new DirectDraw(1, false, [2]);
        double[] logits = [Math.Log(5), Math.Log(2), 9, Math.Log(3)];
        var counts = new int[4];
        fixed (double* from = logits)
        {
            for (var i = 0; i < 1000; i++)
                counts[draw.Token(from, 4, (i + 0.5) / 1000, out _)]++;
        }
        Assert.Equal([500, 200, 0, 300], counts);
    }

    [Fact]
    public void LogitsWithoutADistributionAreLeftToTheTensorOperators()
    {
        using var scope = NewDisposeScope();
        using var sampler = new TokenSampler(new SamplingOptions(), 3, CPU);
        var logits = tensor(new[] { 0.0, 1, 2, double.NaN, 0, 0 }, [2, 3]);
        Assert.Null(sampler.DrawDirectly(logits, 0, [0.5, 0.5], _ => true, null, zeros(2, 1, dtype: ScalarType.Float64)));
        Assert.NotNull(sampler.DrawDirectly(logits, 0, [0.5, 0.5], row => row == 0, null, zeros(2, 1, dtype: ScalarType.Float64)));
        using var narrow = new TokenSampler(new SamplingOptions { TopK = 2 }, 3, CPU);
        Assert.Null(narrow.DrawDirectly(zeros(1, 3), 0, [0.5], _ => true, null, zeros(1, 1)));
        using var period = Fused.Reference();
        Assert.Null(sampler.DrawDirectly(zeros(1, 3), 0, [0.5], _ => true, null, zeros(1, 1)));
    }
}
