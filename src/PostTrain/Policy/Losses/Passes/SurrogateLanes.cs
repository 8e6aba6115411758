using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;

namespace PostTrain.Policy.Losses;

/// <summary>Terms of the surrogate of a vector of tokens; 0 where nothing counts. log ρ is within its bound in the ratio.</summary>
internal ref struct SurrogateLanes<T>
    where T : unmanaged
{
    internal Vector256<T> LogProbs,
        OldLogProbs,
        Ratio,
        Advantages;
}

/// <summary>A surrogate in closed form.</summary>
internal interface ISurrogateForm<T>
    where T : unmanaged
{
    /// <summary>Loss, ∂loss/∂ log ρ within its bound, ∂loss/∂ log π beside it, and the tokens at which a bound acts.</summary>
    void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut);
}

/// <summary>−min(ρA, clip(ρ)·A).</summary>
internal readonly struct ClipForm<T>(ClipRange range) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> low = VectorMath.All<T>(1 - range.Lower),
        high = VectorMath.All<T>(1 + range.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        Vector256<T> free = lanes.Ratio * lanes.Advantages,
            // The second operand of the native minimum and maximum is the result where one is NaN.
            bound = Vector256.MinNative(high, Vector256.MaxNative(low, lanes.Ratio)) * lanes.Advantages;
        cut = Vector256.LessThan(bound, free);
        loss = -Vector256.ConditionalSelect(cut, bound, free);
        slope = Vector256.AndNot(loss, cut);
        direct = Vector256<T>.Zero;
    }
}

/// <summary>−min(min(ρ, cap)·A, clip(ρ)·A).</summary>
internal readonly struct CappedClipForm<T>(ClipRange range, double cap) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> low = VectorMath.All<T>(1 - range.Lower),
        high = VectorMath.All<T>(1 + range.Upper);
    private readonly Vector256<T> most = VectorMath.All<T>(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        Vector256<T> ratio = lanes.Ratio,
            advantages = lanes.Advantages;
        Vector256<T> above = Vector256.GreaterThan(ratio, high),
            below = Vector256.LessThan(ratio, low),
            capped = Vector256.GreaterThan(ratio, most);
        var bound = Vector256.ConditionalSelect(above, high, Vector256.ConditionalSelect(below, low, ratio));
        var free = Vector256.ConditionalSelect(capped, most, ratio);
        var none = Vector256.Equals(advantages, Vector256<T>.Zero);
        var takesBound = Vector256.LessThan(bound * advantages, free * advantages) | none;
        var constant = (takesBound & (above | below)) | Vector256.AndNot(capped, takesBound);
        loss = -(Vector256.ConditionalSelect(constant, Vector256.ConditionalSelect(takesBound, bound, free), ratio) * advantages);
        slope = Vector256.ConditionalSelect(constant, Vector256<T>.Zero, loss);
        direct = Vector256<T>.Zero;
        cut = Vector256.AndNot(constant, none);
    }
}

/// <summary>−ρA.</summary>
internal readonly struct RatioForm<T> : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        var none = Vector256.Equals(lanes.Advantages, Vector256<T>.Zero);
        loss = slope = -(Vector256.ConditionalSelect(none, Vector256<T>.One, lanes.Ratio) * lanes.Advantages);
        direct = cut = Vector256<T>.Zero;
    }
}

/// <summary>−w·A·log π with the constant w = clamp(ρ, least, most).</summary>
internal readonly struct WeightedForm<T>(double least, double most) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> low = VectorMath.All<T>(least),
        high = VectorMath.All<T>(most);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        Vector256<T> above = Vector256.GreaterThan(lanes.Ratio, high),
            below = Vector256.LessThan(lanes.Ratio, low);
        var weight = Vector256.ConditionalSelect(above, high, Vector256.ConditionalSelect(below, low, lanes.Ratio));
        direct = -(lanes.Advantages * weight);
        loss = lanes.LogProbs * direct;
        slope = Vector256<T>.Zero;
        cut = Vector256.AndNot(above | below, Vector256.Equals(lanes.Advantages, Vector256<T>.Zero));
    }
}

/// <summary>−A·log π.</summary>
internal readonly struct LogProbForm<T> : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        direct = -lanes.Advantages;
        loss = lanes.LogProbs * direct;
        slope = cut = Vector256<T>.Zero;
    }
}

/// <summary>−(4/τ)·σ(τ(ρ − 1))·A.</summary>
internal readonly struct SapoForm<T>(double positive, double negative) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> right = VectorMath.All<T>(positive),
        wrong = VectorMath.All<T>(negative);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        var ratio = lanes.Ratio;
        var temperature = Vector256.ConditionalSelect(Vector256.GreaterThan(lanes.Advantages, Vector256<T>.Zero), right, wrong);
        var x = (ratio - Vector256<T>.One) * temperature;
        var gate = VectorMath.Sigmoid(x);
        loss = -(gate * VectorMath.Number<T>(4) / temperature * lanes.Advantages);
        slope = -(gate * VectorMath.Number<T>(4) * VectorMath.Sigmoid(-x) * ratio * lanes.Advantages);
        direct = cut = Vector256<T>.Zero;
    }
}

/// <summary>½β(log π − log π_old)² − A·log π.</summary>
internal readonly struct DroForm<T>(double beta) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> strength = VectorMath.All<T>(beta);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        var difference = lanes.LogProbs - lanes.OldLogProbs;
        loss = difference * difference * (strength * VectorMath.Number<T>(0.5)) - lanes.LogProbs * lanes.Advantages;
        direct = difference * strength - lanes.Advantages;
        slope = cut = Vector256<T>.Zero;
    }
}

/// <summary>−w·A·log π with the constant w = min(ρ, cap), 0 where the probability has moved more than the range in the direction of
/// A.</summary>
internal readonly struct DppoTvForm<T>(ClipRange range, double cap) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> up = VectorMath.All<T>(range.Upper),
        down = VectorMath.All<T>(-range.Lower),
        most = VectorMath.All<T>(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        var away = VectorMath.Exp(lanes.LogProbs) - VectorMath.Exp(lanes.OldLogProbs);
        DppoKlForm<T>.Weigh(in lanes, Vector256.GreaterThan(away, up), Vector256.LessThan(away, down), most, out loss, out direct, out cut);
        slope = Vector256<T>.Zero;
    }
}

/// <summary>The same with the binary divergence KL(π_old‖π) of the token as the distance.</summary>
internal readonly struct DppoKlForm<T>(ClipRange range, double cap) : ISurrogateForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> up = VectorMath.All<T>(range.Upper),
        down = VectorMath.All<T>(range.Lower),
        most = VectorMath.All<T>(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(in SurrogateLanes<T> lanes, out Vector256<T> loss, out Vector256<T> slope, out Vector256<T> direct, out Vector256<T> cut)
    {
        Vector256<T> now = VectorMath.Exp(lanes.LogProbs),
            old = VectorMath.Exp(lanes.OldLogProbs),
            away = now - old,
            other = Vector256.Max(Vector256<T>.One - old, Vector256<T>.Zero),
            rest = Vector256.Max(Vector256<T>.One - now, Vector256<T>.Zero);
        var second = Vector256.AndNot(other * (VectorMath.Log(other) - VectorMath.Log(rest)), Vector256.Equals(other, Vector256<T>.Zero));
        var divergence = old * (lanes.OldLogProbs - lanes.LogProbs) + second;
        var tooHigh = Vector256.GreaterThan(away, Vector256<T>.Zero) & Vector256.GreaterThan(divergence, up);
        var tooLow = Vector256.LessThan(away, Vector256<T>.Zero) & Vector256.GreaterThan(divergence, down);
        Weigh(in lanes, tooHigh, tooLow, most, out loss, out direct, out cut);
        slope = Vector256<T>.Zero;
    }

    /// <summary>The terms of both distances.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Weigh(
        in SurrogateLanes<T> lanes,
        Vector256<T> tooHigh,
        Vector256<T> tooLow,
        Vector256<T> most,
        out Vector256<T> loss,
        out Vector256<T> direct,
        out Vector256<T> cut
    )
    {
        cut = Vector256.ConditionalSelect(Vector256.GreaterThan(lanes.Advantages, Vector256<T>.Zero), tooHigh, tooLow);
        direct = -(lanes.Advantages * Vector256.AndNot(Vector256.Min(lanes.Ratio, most), cut));
        loss = lanes.LogProbs * direct;
        cut = Vector256.AndNot(cut, Vector256.Equals(lanes.Advantages, Vector256<T>.Zero));
    }
}
