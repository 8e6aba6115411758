using PostTrain.Preference;
using PostTrain.Tests.Support;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class FDivergenceTests
{
    [Fact]
    public void Scores_AreTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // e^D = 1, 2, 1/2.
        var ratios = Doubles(0, Math.Log(2), -Math.Log(2));
        TensorAssert.Same(ratios, FDivergence.ReverseKl.Score(ratios));
        TensorAssert.Close([-1, -0.5, -2], FDivergence.ForwardKl.Score(ratios), 1e-15);
        TensorAssert.Close([Math.Log(1 / 2.0), Math.Log(2 / 3.0), Math.Log(1 / 3.0)], FDivergence.JensenShannon.Score(ratios), 1e-15);
        TensorAssert.Close([0, 1, -0.5], FDivergence.Alpha(2).Score(ratios), 1e-15);
        TensorAssert.Close([0, 2 - Math.Sqrt(2), 2 - 2 * Math.Sqrt(2)], FDivergence.Alpha(0.5).Score(ratios), 1e-15);
    }

    [Fact]
    public void Alpha_HasTheKullbackLeiblerDivergencesAsLimits()
    {
        using var scope = NewDisposeScope();
        var ratios = Numbers.Uniform(1, 3, 20);
        TensorAssert.Same(ratios, FDivergence.Alpha(1).Score(ratios));
        TensorAssert.Close(ratios, FDivergence.Alpha(1 + 1e-9).Score(ratios), 1e-8);
        TensorAssert.Close(FDivergence.ForwardKl.Score(ratios) + 1, FDivergence.Alpha(0).Score(ratios), 1e-14);
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        foreach (
            var divergence in new[]
            {
                FDivergence.ReverseKl,
                FDivergence.ForwardKl,
                FDivergence.JensenShannon,
                FDivergence.Alpha(0.3),
                FDivergence.Alpha(1.7),
            }
        )
            GradientCheck.Run(inputs => divergence.Score(inputs[0]).sum(), Numbers.Uniform(2, 2, 6));
    }

    /// <summary>Beyond e^40 the exponential goes on as its tangent: continuous, increasing, with the slope e^40.</summary>
    [Fact]
    public void FarOut_TheSlopeStays()
    {
        using var scope = NewDisposeScope();
        var gradient = Numbers.Gradient(x => FDivergence.ForwardKl.Score(x).sum(), Doubles(-40, -41, -1e4));
        double slope = Math.Exp(40);
        TensorAssert.Close([slope, slope, slope], gradient, 1e-12);
        TensorAssert.Close([-slope, -2 * slope], FDivergence.ForwardKl.Score(Doubles(-40, -41)), 1e-12);
    }
}
