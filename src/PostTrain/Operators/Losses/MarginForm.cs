using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>A loss of the margin h with its derivative, in closed form.</summary>
internal abstract class MarginForm
{
    internal abstract void Of(V h, V beta, out V loss, out V slope);
}

/// <summary>−a·log σ(h) − b·log σ(−h): logistic, smoothed and robust losses.</summary>
internal sealed class LogisticMargin(double right, double wrong) : MarginForm
{
    internal override void Of(V h, V beta, out V loss, out V slope) =>
        Of(h, Vector256.Create(right), Vector256.Create(wrong), out loss, out slope);

    /// <summary>With a and b of each lane.</summary>
    internal static void Of(V h, V right, V wrong, out V loss, out V slope)
    {
        // log σ(−h) = log σ(h) − h and σ(−h) = 1 − σ(h), from one exponential of −|h|.
        var small = Lanes.Exp(-Vector256.Abs(h));
        var positive = Vector256.GreaterThanOrEqual(h, V.Zero);
        var logOne = Lanes.Log1P(small);
        var logSigmoid = -logOne + Vector256.ConditionalSelect(positive, V.Zero, h);
        var near = V.One / (V.One + small);
        var far = small * near;
        var (sigmoid, other) = (Vector256.ConditionalSelect(positive, near, far), Vector256.ConditionalSelect(positive, far, near));
        loss = -(right * logSigmoid);
        slope = -(right * other);
        if (wrong == V.Zero)
            return;
        loss -= wrong * (-logOne - Vector256.ConditionalSelect(positive, h, V.Zero));
        slope += wrong * sigmoid;
    }
}

/// <summary>max(0, 1 − h).</summary>
internal sealed class HingeMargin : MarginForm
{
    internal override void Of(V h, V beta, out V loss, out V slope)
    {
        var room = V.One - h;
        // A NaN is not below 0 and stays.
        loss = Vector256.ConditionalSelect(Vector256.LessThanOrEqual(room, V.Zero), V.Zero, room);
        slope = Vector256.ConditionalSelect(Vector256.LessThanOrEqual(room, V.Zero), V.Zero, -V.One);
    }
}

/// <summary>((h − ½)/β)².</summary>
internal sealed class IpoMargin : MarginForm
{
    internal override void Of(V h, V beta, out V loss, out V slope)
    {
        var distance = (h - Vector256.Create(0.5)) / beta;
        loss = distance * distance;
        slope = 2 * distance / beta;
    }
}

/// <summary>q(log q − log(1−ε)) + (1−q)(log(1−q) − log ε), q = σ(h).</summary>
internal sealed class ExoMargin(double epsilon) : MarginForm
{
    private readonly double right = Math.Log(1 - epsilon),
        wrong = Math.Log(epsilon);

    internal override void Of(V h, V beta, out V loss, out V slope)
    {
        var (q, other) = (Lanes.Sigmoid(h), Lanes.Sigmoid(-h));
        V first = Lanes.LogSigmoid(h) - Vector256.Create(right),
            second = Lanes.LogSigmoid(-h) - Vector256.Create(wrong);
        loss = q * first + other * second;
        // The derivatives of the logarithms cancel: q(1−q) − (1−q)q.
        slope = q * other * (first - second);
    }
}

/// <summary>(1−w)·(−log σ(h)) + e^(log w − h), w = σ(h/τ).</summary>
internal sealed class DiscoPopMargin(double temperature) : MarginForm
{
    internal override void Of(V h, V beta, out V loss, out V slope)
    {
        var scaled = h / Vector256.Create(temperature);
        V weight = Lanes.Sigmoid(scaled),
            other = Lanes.Sigmoid(-scaled),
            logistic = -Lanes.LogSigmoid(h);
        var exponential = Lanes.Exp(Lanes.LogSigmoid(scaled) - h);
        loss = other * logistic + exponential;
        var inner = V.One / Vector256.Create(temperature);
        slope = -(weight * other * inner * logistic) - other * Lanes.Sigmoid(-h) + exponential * (other * inner - V.One);
    }
}
