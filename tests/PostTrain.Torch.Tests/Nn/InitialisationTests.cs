using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Nn;

[Collection("Sequential")]
public class InitialisationTests
{
    // Weights [out, in] = [200, 300]: 60,000 draws, so a deviation is met within about 1 % (four deviations of its own).
    public static TheoryData<string, double> Deviations => new()
    {
        { "xavier_normal", Math.Sqrt(2.0 / 500) },
        { "xavier_uniform", Math.Sqrt(2.0 / 500) },
        { "kaiming_normal", Math.Sqrt(2.0 / 300) },
        { "kaiming_uniform", Math.Sqrt(2.0 / 300) },
        { "kaiming_out_linear", Math.Sqrt(1.0 / 200) },
        { "normal", 0.5 },
        { "uniform", 2 / Math.Sqrt(12) },
    };

    [Theory]
    [MemberData(nameof(Deviations))]
    public void Start_OfManyNumbers_HasItsDeviation(string kind, double deviation)
    {
        using var scope = NewDisposeScope();
        manual_seed(9);
        var weight = empty(200, 300, float64).requires_grad_();

        var result = kind switch
        {
            "xavier_normal" => nn.init.xavier_normal_(weight),
            "xavier_uniform" => nn.init.xavier_uniform_(weight),
            "kaiming_normal" => nn.init.kaiming_normal_(weight),
            "kaiming_uniform" => nn.init.kaiming_uniform_(weight),
            "kaiming_out_linear" => nn.init.kaiming_normal_(weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.Linear),
            "normal" => nn.init.normal_(weight, 0, 0.5),
            _ => nn.init.uniform_(weight, -1, 1),
        };

        Assert.Same(weight, result);
        Assert.InRange(weight.std().item<double>() / deviation, 0.985, 1.015);
        Assert.InRange(weight.mean().item<double>() / deviation, -0.02, 0.02);
        Assert.True(weight.is_leaf);
    }

    [Fact]
    public void Constants_AndTheIdentity_AreExact()
    {
        using var scope = NewDisposeScope();
        var weight = empty(2, 3, float64);

        Numbers.Same([1, 0, 0, 0, 1, 0], nn.init.eye_(weight));
        Numbers.Same([1, 1, 1, 1, 1, 1], nn.init.ones_(weight));
        Numbers.Same(new double[6], nn.init.zeros_(weight));
        Numbers.Same([2.5, 2.5, 2.5, 2.5, 2.5, 2.5], nn.init.constant_(weight, 2.5));
    }

    [Theory]
    [InlineData(3, 5)]
    [InlineData(5, 3)]
    public void Orthogonal_ShorterSide_IsOrthonormalTimesTheGain(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var weight = nn.init.orthogonal_(empty(rows, columns, float64), gain: 2);

        var product = rows < columns ? weight.matmul(weight.t()) : weight.t().matmul(weight);

        Numbers.Same(eye(3, dtype: float64) * 4, product, 1e-12);
    }

    [Fact]
    public void Gain_AndFans_FollowTheirDefinitions()
    {
        using var kernel = zeros(4, 3, 2, 2);

        Assert.Equal((12L, 16L), nn.init.CalculateFanInAndFanOut(kernel));
        Assert.Equal(Math.Sqrt(2), nn.init.calculate_gain(nn.init.NonlinearityType.ReLU));
        Assert.Equal(Math.Sqrt(2 / 1.04), nn.init.calculate_gain(nn.init.NonlinearityType.LeakyReLU, 0.2), 12);
        Assert.Equal(5.0 / 3, nn.init.calculate_gain(nn.init.NonlinearityType.Tanh));
        Assert.Throws<ArgumentException>(() => nn.init.xavier_normal_(zeros(3)));
    }

    [Fact]
    public void Start_WithAGenerator_UsesOnlyThat()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        using var again = new Generator(5);
        manual_seed(1);
        var expected = rand(1);
        manual_seed(1);

        var first = nn.init.normal_(empty(4), generator: generator);

        Numbers.Same(first, nn.init.normal_(empty(4), generator: again), 0);
        Numbers.Same(expected, rand(1), 0);
    }
}
