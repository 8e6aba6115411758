using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

/// <summary>The score of a log-ratio with its derivative.</summary>
internal abstract class ScoreForm
{
    // Exponentials go over into their tangent there.
    private protected static readonly V Cap = Vector256.Create(Stable.ExponentCap);

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
