using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class RotaryScalingTests
{
    private static void Near(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void Linear_DividesEveryFrequency() => Near([0.5, 0.05], new LinearScaling(2).Frequencies(100, 4, 0));

    [Fact]
    public void Dynamic_ChangesTheBaseBeyondTheOriginalLengthOnly()
    {
        // 16 of 8 positions: 2 · 16 / 8 − 1 = 3, to the power 4 / (4 − 2): θ = 900.
        var scaling = new DynamicScaling(2, 8);
        Near([1, 1 / 30.0], scaling.Frequencies(100, 4, 16));
        Near([1, 0.1], scaling.Frequencies(100, 4, 8));
    }

    [Fact]
    public void Llama3_KeepsManyTurns_DividesFew_AndMixesBetween()
    {
        // 628 positions make 99.9 turns of frequency 1, and 0.9995 turns of 0.01.
        Near([1, 0.00125], new Llama3Scaling(8, 1, 4, 628).Frequencies(10_000, 4, 0));
        // 50π positions make 2.5 turns of 0.1, half-way between 1 and 4.
        var half = new Llama3Scaling(8, 1, 4, 157).Frequencies(100, 4, 0)[1];
        Assert.Equal(0.1 * (0.5 + 0.5 / 8), half, 1e-4);
    }

    [Fact]
    public void Yarn_GivesTheHandWorkedRamp()
    {
        // 32 positions: 32 turns belong to element −0.8, one turn to 0.7: the ramp is from 0 to 1.
        var small = new YarnScaling(4, 32);
        Near([1, 0.025, 0.0025, 0.00025], small.Frequencies(10_000, 8, 0));
        Assert.Equal(1.138629436111989, small.AttentionFactor, 1e-12);
        // 4096 positions: elements 1.3 and 2.8, so from 1 to 3; element 2 is half-way.
        Near([1, 0.1, 0.01 * (0.5 + 0.5 / 4), 0.00025], new YarnScaling(4, 4096).Frequencies(10_000, 8, 0));
        Assert.Equal(1, new YarnScaling(0.5, 32).AttentionFactor);
        Assert.Equal(1.25, new YarnScaling(4, 32) { Attention = 1.25 }.AttentionFactor);
        Assert.All(new YarnScaling(4, 32).Frequencies(1, 8, 0), frequency => Assert.True(double.IsFinite(frequency)));
    }

    [Fact]
    public void Tables_FollowTheLongestSequence()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(4, 16, new RotarySpec { Theta = 100, Scaling = new DynamicScaling(2, 8) });
        var like = zeros(1, dtype: ScalarType.Float64);
        double Angle(Tensor? positions, long start, long length) =>
            Math.Acos(rotary.At(positions, start, length, like).Cosine[0, 1, 0, 0, 1].ToDouble());
        Assert.Equal(0.1, Angle(null, 0, 8), 1e-12);
        Assert.Equal(1 / 30.0, Angle(null, 0, 16), 1e-12);
        // Sixteen columns, of which no sequence has more than eight.
        Assert.Equal(0.1, Angle(arange(8, dtype: ScalarType.Int64).repeat(2).unsqueeze(0), 0, 16), 1e-12);
        Assert.Equal(0.1, Angle(null, 0, 2), 1e-12);
    }

    [Fact]
    public void Yarn_ScalesCosineAndSine()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(4, 16, new RotarySpec { Scaling = new YarnScaling(4, 8) { Attention = 1.5 } });
        var (cosine, sine) = rotary.At(null, 0, 5, zeros(1, dtype: ScalarType.Float64));
        TensorAssert.Close(full(cosine.shape, 2.25, dtype: ScalarType.Float64), cosine.square() + sine.square(), 1e-12);
    }

    [Fact]
    public void Fraction_LeavesTheLastElements()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(4, 8, new RotarySpec { Fraction = 0.5 });
        var heads = tensor(new double[] { 1, 0, 5, 6 }, [1, 1, 1, 4]);
        var (cosine, sine) = rotary.At(null, 2, 1, heads);
        TensorAssert.Close([Math.Cos(2), Math.Sin(2), 5, 6], RotaryEmbedding.Rotate(heads, cosine, sine), 1e-15);
    }

    [Fact]
    public void Values_OutOfRange_AreRefused()
    {
        static void Refused(RotarySpec spec) =>
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                Decoder.Create(TinyModels.Llama with { Attention = [new AttentionSpec { Rotary = spec }] }, 1)
            );
        Refused(new RotarySpec { Theta = 0 });
        Refused(new RotarySpec { Fraction = 1.5 });
        Refused(new RotarySpec { Fraction = 0.2 });
        Refused(new RotarySpec { Scaling = new LinearScaling(0) });
        Refused(new RotarySpec { Scaling = new DynamicScaling(0.5, 8) });
        Refused(new RotarySpec { Scaling = new Llama3Scaling(8, 4, 1, 8) });
        Refused(new RotarySpec { Scaling = new YarnScaling(4, 0) });
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Decoder.Create(TinyModels.Llama with { Attention = [new AttentionSpec { Window = 0 }] }, 1)
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Decoder.Create(TinyModels.Llama with { Attention = [new AttentionSpec(), new AttentionSpec { Rotary = null }] }, 1)
        );
    }
}
