using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Policy.Losses;

/// <summary>Terms of the surrogate of four tokens; 0 where nothing counts. log ρ is within its bound in the ratio.</summary>
internal ref struct SurrogateLanes
{
    internal V LogProbs,
        OldLogProbs,
        Ratio,
        Advantages;
}

/// <summary>A surrogate in closed form.</summary>
internal interface ISurrogateForm
{
    /// <summary>Loss, ∂loss/∂ log ρ within its bound, ∂loss/∂ log π beside it, and the tokens at which a bound acts.</summary>
    void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut);
}

/// <summary>−min(min(ρ, cap)·A, clip(ρ)·A).</summary>
internal readonly struct ClipForm(ClipRange range, double? cap) : ISurrogateForm
{
    private readonly V low = Vector256.Create(1 - range.Lower),
        high = Vector256.Create(1 + range.Upper);
    private readonly V most = Vector256.Create(cap ?? double.PositiveInfinity);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        V ratio = lanes.Ratio,
            advantages = lanes.Advantages;
        V above = Vector256.GreaterThan(ratio, high),
            below = Vector256.LessThan(ratio, low),
            capped = Vector256.GreaterThan(ratio, most);
        var bound = Vector256.ConditionalSelect(above, high, Vector256.ConditionalSelect(below, low, ratio));
        var free = Vector256.ConditionalSelect(capped, most, ratio);
        var none = Vector256.Equals(advantages, V.Zero);
        var takesBound = Vector256.LessThan(bound * advantages, free * advantages) | none;
        var constant = (takesBound & (above | below)) | Vector256.AndNot(capped, takesBound);
        loss = -(Vector256.ConditionalSelect(constant, Vector256.ConditionalSelect(takesBound, bound, free), ratio) * advantages);
        slope = Vector256.ConditionalSelect(constant, V.Zero, loss);
        direct = V.Zero;
        cut = Vector256.AndNot(constant, none);
    }
}

/// <summary>−ρA.</summary>
internal readonly struct RatioForm : ISurrogateForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        var none = Vector256.Equals(lanes.Advantages, V.Zero);
        loss = slope = -(Vector256.ConditionalSelect(none, V.One, lanes.Ratio) * lanes.Advantages);
        direct = cut = V.Zero;
    }
}

/// <summary>−w·A·log π with the constant w = clamp(ρ, least, most).</summary>
internal readonly struct WeightedForm(double least, double most) : ISurrogateForm
{
    private readonly V low = Vector256.Create(least),
        high = Vector256.Create(most);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        V above = Vector256.GreaterThan(lanes.Ratio, high),
            below = Vector256.LessThan(lanes.Ratio, low);
        var weight = Vector256.ConditionalSelect(above, high, Vector256.ConditionalSelect(below, low, lanes.Ratio));
        direct = -(lanes.Advantages * weight);
        loss = lanes.LogProbs * direct;
        slope = V.Zero;
        cut = Vector256.AndNot(above | below, Vector256.Equals(lanes.Advantages, V.Zero));
    }
}

/// <summary>−A·log π.</summary>
internal readonly struct LogProbForm : ISurrogateForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        direct = -lanes.Advantages;
        loss = lanes.LogProbs * direct;
        slope = cut = V.Zero;
    }
}

/// <summary>−(4/τ)·σ(τ(ρ − 1))·A.</summary>
internal readonly struct SapoForm(double positive, double negative) : ISurrogateForm
{
    private readonly V right = Vector256.Create(positive),
        wrong = Vector256.Create(negative);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        var ratio = lanes.Ratio;
        var temperature = Vector256.ConditionalSelect(Vector256.GreaterThan(lanes.Advantages, V.Zero), right, wrong);
        var x = (ratio - V.One) * temperature;
        var gate = Lanes.Sigmoid(x);
        loss = -(gate * 4 / temperature * lanes.Advantages);
        slope = -(4 * gate * Lanes.Sigmoid(-x) * ratio * lanes.Advantages);
        direct = cut = V.Zero;
    }
}

/// <summary>½β(log π − log π_old)² − A·log π.</summary>
internal readonly struct DroForm(double beta) : ISurrogateForm
{
    private readonly V strength = Vector256.Create(beta);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        var difference = lanes.LogProbs - lanes.OldLogProbs;
        loss = difference * difference * (strength * 0.5) - lanes.LogProbs * lanes.Advantages;
        direct = difference * strength - lanes.Advantages;
        slope = cut = V.Zero;
    }
}

/// <summary>−w·A·log π with the constant w = min(ρ, cap), 0 where the probability has moved more than the range in the direction of
/// A.</summary>
internal readonly struct DppoTvForm(ClipRange range, double cap) : ISurrogateForm
{
    private readonly V up = Vector256.Create(range.Upper),
        down = Vector256.Create(-range.Lower),
        most = Vector256.Create(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        var away = Lanes.Exp(lanes.LogProbs) - Lanes.Exp(lanes.OldLogProbs);
        DppoKlForm.Weigh(in lanes, Vector256.GreaterThan(away, up), Vector256.LessThan(away, down), most, out loss, out direct, out cut);
        slope = V.Zero;
    }
}

/// <summary>The same with the binary divergence KL(π_old‖π) of the token as the distance.</summary>
internal readonly struct DppoKlForm(ClipRange range, double cap) : ISurrogateForm
{
    private readonly V up = Vector256.Create(range.Upper),
        down = Vector256.Create(range.Lower),
        most = Vector256.Create(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes lanes, out V loss, out V slope, out V direct, out V cut)
    {
        V now = Lanes.Exp(lanes.LogProbs),
            old = Lanes.Exp(lanes.OldLogProbs),
            away = now - old,
            other = Vector256.Max(V.One - old, V.Zero),
            rest = Vector256.Max(V.One - now, V.Zero);
        var second = Vector256.AndNot(other * (Vector256.Log(other) - Vector256.Log(rest)), Vector256.Equals(other, V.Zero));
        var divergence = old * (lanes.OldLogProbs - lanes.LogProbs) + second;
        var tooHigh = Vector256.GreaterThan(away, V.Zero) & Vector256.GreaterThan(divergence, up);
        var tooLow = Vector256.LessThan(away, V.Zero) & Vector256.GreaterThan(divergence, down);
        Weigh(in lanes, tooHigh, tooLow, most, out loss, out direct, out cut);
        slope = V.Zero;
    }

    /// <summary>The terms of both distances.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Weigh(in SurrogateLanes lanes, V tooHigh, V tooLow, V most, out V loss, out V direct, out V cut)
    {
        cut = Vector256.ConditionalSelect(Vector256.GreaterThan(lanes.Advantages, V.Zero), tooHigh, tooLow);
        direct = -(lanes.Advantages * Vector256.AndNot(Vector256.Min(lanes.Ratio, most), cut));
        loss = lanes.LogProbs * direct;
        cut = Vector256.AndNot(cut, Vector256.Equals(lanes.Advantages, V.Zero));
    }
}
