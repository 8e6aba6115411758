using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>Arguments of <see cref="CompletionPass"/>; tensors are [B].</summary>
/// <param name="LogProbs">log π of the completions.</param>
/// <param name="Reference">log π_ref.</param>
/// <param name="Desirable">Flags or 0/1.</param>
/// <param name="Beta">β.</param>
/// <param name="Shift">z₀ of KTO, δ of BCO.</param>
/// <param name="Divisor">Of the sum.</param>
internal sealed record CompletionCall(Tensor LogProbs, Tensor Reference, Tensor Desirable, double Beta, double Shift, double Divisor)
{
    /// <summary>Weights of the desirable and of the undesirable completions.</summary>
    internal (double Desirable, double Undesirable) Weights { get; init; } = (1, 1);

    /// <summary>A weight of each undesirable completion; null for none.</summary>
    internal Tensor? UndesirableWeights { get; init; }

    /// <summary>True if the pass can read these.</summary>
    internal bool IsTaken =>
        Fused.Takes(LogProbs, Reference)
        && Desirable.device_type == DeviceType.CPU
        && (UndesirableWeights is null || UndesirableWeights.device_type == DeviceType.CPU);
}

/// <summary>Value and gradient of a loss of completions.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="Losses">[B], before the division.</param>
/// <param name="Gradient">d Loss/d log π, [B].</param>
/// <param name="Rewards">βD, [B].</param>
/// <param name="Reward">Their mean; 0 without a completion.</param>
internal sealed record CompletionResult(double Loss, Tensor Losses, Tensor Gradient, Tensor Rewards, double Reward);

/// <summary>Losses of completions that were each judged alone with their gradients, four at a time, in float64.</summary>
internal static unsafe class CompletionPass
{
    /// <summary>KTO: λ(1 − σ(±β(D − z₀))).</summary>
    internal static CompletionResult Kto(CompletionCall call) => Run(call, false);

    /// <summary>BCO: −w·log σ(±(βD − δ)).</summary>
    internal static CompletionResult Bco(CompletionCall call) => Run(call, true);

    private static CompletionResult Run(CompletionCall call, bool logistic) =>
        call.LogProbs.dtype == ScalarType.Float32 ? Run<float>(call, logistic) : Run<double>(call, logistic);

    private static CompletionResult Run<T>(CompletionCall call, bool logistic)
        where T : unmanaged
    {
        long rows = call.LogProbs.size(0);
        Tensor losses = TensorMemory.Fresh(call.LogProbs),
            gradient = TensorMemory.Fresh(call.LogProbs),
            rewards = TensorMemory.Fresh(call.LogProbs);
        using var current = new NumberSource<T>(call.LogProbs);
        using var reference = new NumberSource<T>(call.Reference);
        using var good = new NumberSource<bool>(call.Desirable);
        using var factors = new NumberSource<T>(call.UndesirableWeights);
        T* l = TensorMemory.Address<T>(losses),
            g = TensorMemory.Address<T>(gradient),
            r = TensorMemory.Address<T>(rewards);
        V beta = Vector256.Create(call.Beta),
            shift = Vector256.Create(call.Shift),
            scale = Vector256.Create(call.Beta / call.Divisor),
            sum = V.Zero,
            rewardSum = V.Zero;
        V desired = Vector256.Create(call.Weights.Desirable),
            undesired = Vector256.Create(call.Weights.Undesirable);
        for (long i = 0; i < rows; i += Lanes.Count)
        {
            long count = rows - i;
            var isGood = Lanes.NotZero(Lanes.Load(good.Pointer + i, count));
            var ratio = Lanes.Load(current.Pointer + i, count) - Lanes.Load(reference.Pointer + i, count);
            var other = call.UndesirableWeights is null ? undesired : Lanes.Load(factors.Pointer + i, count);
            var weight = Vector256.ConditionalSelect(isGood, desired, other);
            var distance = logistic ? ratio * beta - shift : (ratio - shift) * beta;
            var toward = Vector256.ConditionalSelect(isGood, distance, -distance);
            V loss,
                slope;
            if (logistic)
            {
                loss = -(weight * Lanes.LogSigmoid(toward));
                slope = weight * Lanes.Sigmoid(-toward) * scale;
            }
            else
            {
                V wrong = Lanes.Sigmoid(-toward);
                loss = weight * wrong;
                slope = weight * Lanes.Sigmoid(toward) * wrong * scale;
            }
            sum += Lanes.Where(Lanes.First(count), loss);
            rewardSum += ratio;
            Lanes.Store(l + i, loss, count);
            Lanes.Store(g + i, Vector256.ConditionalSelect(isGood, -slope, slope), count);
            Lanes.Store(r + i, ratio * beta, count);
        }
        return new CompletionResult(
            Vector256.Sum(sum) / call.Divisor,
            losses,
            gradient,
            rewards,
            call.Beta * Vector256.Sum(rewardSum) / Math.Max(rows, 1)
        );
    }
}
