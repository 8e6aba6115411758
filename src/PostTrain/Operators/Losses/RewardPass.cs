using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>Arguments of <see cref="RewardPass"/>; tensors are [N].</summary>
/// <param name="First">Rewards of the first answers.</param>
/// <param name="Second">Rewards of the second ones.</param>
/// <param name="Margins">Lead that the first must have; null for 0.</param>
/// <param name="Probabilities">That the first is preferred; null for <paramref name="Probability"/>.</param>
/// <param name="Probability">One for all pairs.</param>
/// <param name="Centering">λ of λ(r₁ + r₂)².</param>
/// <param name="Divisor">Of the sum over pairs.</param>
internal sealed record RewardCall(
    Tensor First,
    Tensor Second,
    Tensor? Margins,
    Tensor? Probabilities,
    double Probability,
    double Centering,
    double Divisor
);

/// <summary>The logistic loss of differences of rewards with its gradients, four pairs at a time, in float64.</summary>
internal static unsafe class RewardPass
{
    /// <summary>Rewards over all answers besides the loss; 0 without a pair.</summary>
    internal readonly record struct Statistics(double Mean, double Least, double Most);

    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static (PairResult Loss, Statistics Rewards) Run(RewardCall call) =>
        TensorFacts.Type(call.First) == ScalarType.Float32 ? Run<float>(call) : Run<double>(call);

    private static (PairResult, Statistics) Run<T>(RewardCall call)
        where T : unmanaged
    {
        long pairs = TensorFacts.Size(call.First, 0);
        Tensor losses = TensorMemory.Fresh(call.First),
            firstGradient = TensorMemory.Fresh(call.First),
            secondGradient = TensorMemory.Fresh(call.First);
        using var first = new NumberSource<T>(call.First);
        using var second = new NumberSource<T>(call.Second);
        using var margin = new NumberSource<T>(call.Margins);
        using var label = new NumberSource<T>(call.Probabilities);
        T* l = TensorMemory.Address<T>(losses),
            fg = TensorMemory.Address<T>(firstGradient),
            sg = TensorMemory.Address<T>(secondGradient);
        V scale = Vector256.Create(1 / call.Divisor),
            centring = Vector256.Create(call.Centering),
            probability = Vector256.Create(call.Probability),
            half = Vector256.Create(0.5);
        V sum = V.Zero,
            firstSum = V.Zero,
            secondSum = V.Zero,
            right = V.Zero,
            least = Vector256.Create(double.PositiveInfinity),
            most = Vector256.Create(double.NegativeInfinity);
        for (long i = 0; i < pairs; i += Lanes.Count)
        {
            long count = pairs - i;
            V a = Lanes.Load(first.Pointer + i, count),
                b = Lanes.Load(second.Pointer + i, count),
                h = a - b;
            if (call.Probabilities is not null)
                probability = Lanes.Load(label.Pointer + i, count);
            var inside = Lanes.First(count);
            right += Lanes.Where(inside & Vector256.GreaterThan(h * (probability - half), V.Zero), V.One);
            if (call.Margins is not null)
                h -= Lanes.Load(margin.Pointer + i, count);
            LogisticMargin.Of(h, probability, V.One - probability, out var loss, out var slope);
            V pull = V.Zero;
            if (call.Centering > 0)
            {
                loss += (a + b) * (a + b) * centring;
                pull = 2 * (a + b) * centring;
            }
            sum += Lanes.Where(inside, loss);
            firstSum += a;
            secondSum += b;
            least = Vector256.ConditionalSelect(inside, Vector256.Min(least, Vector256.Min(a, b)), least);
            most = Vector256.ConditionalSelect(inside, Vector256.Max(most, Vector256.Max(a, b)), most);
            Lanes.Store(l + i, loss, count);
            Lanes.Store(fg + i, (pull + slope) * scale, count);
            Lanes.Store(sg + i, (pull - slope) * scale, count);
        }
        double each = Math.Max(pairs, 1),
            low = least[0],
            high = most[0];
        for (int lane = 1; lane < Lanes.Count; lane++)
            (low, high) = (Math.Min(low, least[lane]), Math.Max(high, most[lane]));
        var result = new PairResult(
            Vector256.Sum(sum) / call.Divisor,
            losses,
            firstGradient,
            secondGradient,
            Vector256.Sum(right) / each,
            Vector256.Sum(firstSum) / each,
            Vector256.Sum(secondSum) / each
        );
        return (result, pairs == 0 ? default : new Statistics((result.ChosenReward + result.RejectedReward) / 2, low, high));
    }
}
