using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>The score of a log-ratio with its derivative.</summary>
internal abstract class ScoreForm
{
    /// <summary>The exponent at which exponentials go over into their tangent: e^40 times a log-ratio of 1e4 is 2e21, far above all values
    /// in training, far below the largest float32 and bfloat16.</summary>
    internal const double ExponentCap = 40;

    // Exponentials go over into their tangent there.
    private protected static readonly V Cap = Vector256.Create(ExponentCap);

    internal abstract void Of(V ratio, out V score, out V slope);
}

/// <summary>s = D.</summary>
internal sealed class RatioScore : ScoreForm
{
    internal override void Of(V ratio, out V score, out V slope) => (score, slope) = (ratio, V.One);
}

/// <summary>s = −e^(−D).</summary>
internal sealed class ForwardScore : ScoreForm
{
    internal override void Of(V ratio, out V score, out V slope)
    {
        slope = Lanes.Exp(Vector256.Min(-ratio, Cap));
        score = -(slope * (V.One + Lanes.Beyond(-ratio, Cap)));
    }
}

/// <summary>s = log σ(D).</summary>
internal sealed class JensenShannonScore : ScoreForm
{
    internal override void Of(V ratio, out V score, out V slope) => (score, slope) = (Lanes.LogSigmoid(ratio), Lanes.Sigmoid(-ratio));
}

/// <summary>s = (e^(kD) − 1)/k, k = α − 1.</summary>
internal sealed class AlphaScore(double order) : ScoreForm
{
    private readonly V factor = Vector256.Create(order - 1);

    internal override void Of(V ratio, out V score, out V slope) => score = Lanes.ExpM1(ratio * factor, Cap, out slope, out _) / factor;
}

/// <summary>s = log(e^D/(1 − e^D)), the logarithm of the odds of a log-probability below 0; from −1e-12 on a constant.</summary>
internal sealed class OddsScore : ScoreForm
{
    private static readonly V Most = Vector256.Create(-1e-12);

    internal override void Of(V ratio, out V score, out V slope)
    {
        var bounded = Vector256.ConditionalSelect(Vector256.GreaterThan(ratio, Most), Most, ratio);
        Lanes.Exp(bounded, out var minusOne);
        // 1 − e^D: without cancellation on both sides, as 1 − e^D is near 1 where e^D is small.
        score = bounded - Vector256.Log(-minusOne);
        slope = Vector256.ConditionalSelect(Vector256.GreaterThan(ratio, Most), V.Zero, V.One / -minusOne);
    }
}
