using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class RotaryEmbeddingTests
{
    [Fact]
    public void Rotate_OnePair_TurnsByThePosition()
    {
        // A head of width 2 has one pair and the frequency θ^0 = 1: (1, 0) at position m becomes (cos m, sin m).
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(2, 8, new RotarySpec());
        var heads = tensor(new double[] { 1, 0, 1, 0, 1, 0 }, [1, 3, 1, 2]);
        var (cosine, sine) = rotary.At(null, 2, 3, heads);
        var turned = RotaryEmbedding.Rotate(heads, cosine, sine);
        TensorAssert.Close(
            [-0.4161468365471424, 0.9092974268256817, -0.9899924966004454, 0.1411200080598672, -0.6536436208636119, -0.7568024953079282],
            turned,
            1e-15
        );
    }

    [Fact]
    public void Rotate_TwoPairs_UsesTheHalvesAndTheSecondFrequency()
    {
        // Width 4, θ = 100: frequencies 1 and 1/10; pairs are (0,2) and (1,3). Position 1 of (0, 1, 1, 0): first pair (0,1) turns by 1,
        // second (1,0) by 0.1.
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(4, 8, new RotarySpec { Theta = 100 });
        var heads = tensor(new double[] { 0, 1, 1, 0 }, [1, 1, 1, 4]);
        var (cosine, sine) = rotary.At(tensor(new long[] { 1 }, [1, 1]), 0, 1, heads);
        TensorAssert.Close(
            [-0.8414709848078965, 0.9950041652780258, 0.5403023058681398, 0.09983341664682815],
            RotaryEmbedding.Rotate(heads, cosine, sine),
            1e-15
        );
    }

    [Fact]
    public void Rotate_DotProducts_DependOnTheDistanceOnly()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(8, 64, new RotarySpec());
        var query = Numbers.Uniform(1, 1, 1, 1, 1, 8);
        var key = Numbers.Uniform(2, 1, 1, 1, 1, 8);
        double Score(long at, long seen) => (Turn(query, at) * Turn(key, seen)).sum().ToDouble();
        Tensor Turn(Tensor heads, long position)
        {
            var (cosine, sine) = rotary.At(null, position, 1, heads);
            return RotaryEmbedding.Rotate(heads, cosine, sine);
        }

        Assert.Equal(Score(5, 2), Score(50, 47), 1e-12);
        Assert.NotEqual(Score(5, 2), Score(5, 3), 1e-3);
    }

    // A table of a milliard positions would be 16 GB; the rows do not depend on how long it has been before.
    [Fact]
    public void At_AsMuchAsIsUsed_WhateverContextIsDeclared()
    {
        using var scope = NewDisposeScope();
        using var grown = new RotaryEmbedding(4, 1_000_000_000, new RotarySpec());
        using var whole = new RotaryEmbedding(4, 4096, new RotarySpec());
        var like = zeros(1, dtype: ScalarType.Float64);
        foreach (var (start, length) in new[] { (0L, 3L), (250L, 20L), (3000L, 7L), (1L, 2L) })
        {
            TensorAssert.Same(whole.At(null, start, length, like).Cosine, grown.At(null, start, length, like).Cosine);
            TensorAssert.Same(whole.At(null, start, length, like).Sine, grown.At(null, start, length, like).Sine);
        }
    }
}
