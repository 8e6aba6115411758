using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Advantages and returns in one pass over CPU memory; the same numbers as <see cref="Advantages"/>.</summary>
/// <remarks>
/// Float32 and float64, summed in float64. The first tensor's type is the result's; the others are converted to it. Results are fresh
/// tensors without a gradient; the caller owns them. They are the same bits for any number of threads.
/// </remarks>
/// <exception cref="NotSupportedException">The tensors are not on the CPU, or of a 16-bit type.</exception>
public static unsafe partial class AdvantageKernels
{
    /// <summary>Generalised advantage estimation, as <see cref="Advantages.Gae"/>; a NaN reaches the steps before it and not those
    /// behind it.</summary>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="values">V, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="gamma">γ, 0 to 1; 1 by default.</param>
    /// <param name="lambda">λ, 0 to 1; 0.95 by default.</param>
    /// <param name="bootstrap">V of the state behind the last step, [B]; 0 when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static AdvantageEstimate Gae(
        Tensor rewards,
        Tensor values,
        Tensor mask,
        double gamma = 1,
        double lambda = 0.95,
        Tensor? bootstrap = null
    )
    {
        var type = CheckSteps(rewards, mask, gamma, bootstrap);
        KernelGuard.SameShape(values, nameof(values), rewards, nameof(rewards));
        Guard.Fraction(lambda, nameof(lambda));
        return type == ScalarType.Float32
            ? Gae<float>(rewards, values, mask, gamma, lambda, bootstrap)
            : Gae<double>(rewards, values, mask, gamma, lambda, bootstrap);
    }

    /// <summary>Discounted returns over the counted steps, as <see cref="Advantages.Returns"/>.</summary>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="gamma">γ, 0 to 1; 1 by default.</param>
    /// <param name="bootstrap">Value of the state behind the last step, [B]; 0 when null.</param>
    /// <returns>[B,T], 0 where nothing counts.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Returns(Tensor rewards, Tensor mask, double gamma = 1, Tensor? bootstrap = null) =>
        CheckSteps(rewards, mask, gamma, bootstrap) == ScalarType.Float32
            ? Returns<float>(rewards, mask, gamma, bootstrap)
            : Returns<double>(rewards, mask, gamma, bootstrap);

    /// <summary>V-trace, as <see cref="Advantages.VTrace"/>.</summary>
    /// <param name="logProbs">log π of the taken tokens, [B,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="values">V, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="options">γ, λ, ρ̄ and c̄; all 1 when null.</param>
    /// <param name="bootstrap">V of the state behind the last step, [B]; 0 when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static AdvantageEstimate VTrace(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor rewards,
        Tensor values,
        Tensor mask,
        VTraceOptions? options = null,
        Tensor? bootstrap = null
    )
    {
        options ??= new VTraceOptions();
        options.Validate();
        var type = CheckSteps(rewards, mask, options.Gamma, bootstrap);
        KernelGuard.SameShape(logProbs, nameof(logProbs), rewards, nameof(rewards));
        KernelGuard.SameShape(oldLogProbs, nameof(oldLogProbs), rewards, nameof(rewards));
        KernelGuard.SameShape(values, nameof(values), rewards, nameof(rewards));
        return type == ScalarType.Float32
            ? VTrace<float>(logProbs, oldLogProbs, rewards, values, mask, options, bootstrap)
            : VTrace<double>(logProbs, oldLogProbs, rewards, values, mask, options, bootstrap);
    }

    private static AdvantageEstimate Gae<T>(Tensor rewards, Tensor values, Tensor mask, double gamma, double lambda, Tensor? bootstrap)
        where T : unmanaged
    {
        var result = new AdvantageEstimate(TensorMemory.Fresh(rewards), TensorMemory.Fresh(rewards));
        using var reward = new NumberSource<T>(rewards);
        using var value = new NumberSource<T>(values);
        using var counted = new NumberSource<T>(mask);
        using var last = new NumberSource<T>(bootstrap);
        T* r = reward.Pointer,
            v = value.Pointer,
            m = counted.Pointer,
            b = last.Pointer;
        T* advantages = TensorMemory.Address<T>(result.Advantages),
            returns = TensorMemory.Address<T>(result.Returns);
        long columns = rewards.size(1);
        double decay = gamma * lambda;
        Workers.Run(
            rewards.size(0),
            rewards.numel(),
            row =>
            {
                double next = b == null ? 0 : Scalars.Get(b + row),
                    advantage = 0;
                for (long i = (row + 1) * columns - 1; i >= row * columns; i--)
                {
                    bool counts = Scalars.Get(m + i) != 0;
                    double now = Scalars.Get(v + i);
                    double estimate = Scalars.Get(r + i) + gamma * next - now + decay * advantage;
                    (next, advantage) = counts ? (now, estimate) : (next, advantage);
                    Scalars.Set(advantages + i, counts ? estimate : 0);
                    Scalars.Set(returns + i, counts ? estimate + now : 0);
                }
            }
        );
        return result;
    }

    private static Tensor Returns<T>(Tensor rewards, Tensor mask, double gamma, Tensor? bootstrap)
        where T : unmanaged
    {
        var result = TensorMemory.Fresh(rewards);
        using var reward = new NumberSource<T>(rewards);
        using var counted = new NumberSource<T>(mask);
        using var last = new NumberSource<T>(bootstrap);
        T* r = reward.Pointer,
            m = counted.Pointer,
            b = last.Pointer,
            returns = TensorMemory.Address<T>(result);
        long columns = rewards.size(1);
        Workers.Run(
            rewards.size(0),
            rewards.numel(),
            row =>
            {
                double sum = b == null ? 0 : Scalars.Get(b + row);
                for (long i = (row + 1) * columns - 1; i >= row * columns; i--)
                {
                    bool counts = Scalars.Get(m + i) != 0;
                    if (counts)
                        sum = Scalars.Get(r + i) + gamma * sum;
                    Scalars.Set(returns + i, counts ? sum : 0);
                }
            }
        );
        return result;
    }

    private static AdvantageEstimate VTrace<T>(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor rewards,
        Tensor values,
        Tensor mask,
        VTraceOptions options,
        Tensor? bootstrap
    )
        where T : unmanaged
    {
        var result = new AdvantageEstimate(TensorMemory.Fresh(rewards), TensorMemory.Fresh(rewards));
        using var current = new NumberSource<T>(logProbs);
        using var old = new NumberSource<T>(oldLogProbs);
        using var reward = new NumberSource<T>(rewards);
        using var value = new NumberSource<T>(values);
        using var counted = new NumberSource<T>(mask);
        using var last = new NumberSource<T>(bootstrap);
        T* l = current.Pointer,
            o = old.Pointer,
            r = reward.Pointer,
            v = value.Pointer,
            m = counted.Pointer;
        T* b = last.Pointer;
        T* advantages = TensorMemory.Address<T>(result.Advantages),
            targets = TensorMemory.Address<T>(result.Returns);
        long columns = rewards.size(1);
        Workers.Run(
            rewards.size(0),
            rewards.numel(),
            row =>
            {
                double nextValue = b == null ? 0 : Scalars.Get(b + row),
                    nextTarget = nextValue,
                    excess = 0;
                for (long i = (row + 1) * columns - 1; i >= row * columns; i--)
                {
                    bool counts = Scalars.Get(m + i) != 0;
                    if (!counts)
                    {
                        Scalars.Set(advantages + i, 0);
                        Scalars.Set(targets + i, 0);
                        continue;
                    }
                    double ratio = Math.Exp(Scalars.Get(l + i) - Scalars.Get(o + i)),
                        now = Scalars.Get(v + i);
                    double rho = Math.Min(ratio, options.RhoBar),
                        trace = Math.Min(ratio, options.CBar) * options.Gamma * options.Lambda;
                    double step = Scalars.Get(r + i) - now;
                    excess = rho * (step + options.Gamma * nextValue) + trace * excess;
                    Scalars.Set(advantages + i, rho * (step + options.Gamma * nextTarget));
                    Scalars.Set(targets + i, now + excess);
                    (nextValue, nextTarget) = (now, now + excess);
                }
            }
        );
        return result;
    }

    private static ScalarType CheckSteps(Tensor rewards, Tensor mask, double gamma, Tensor? bootstrap)
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[B,T]");
        var type = KernelGuard.Number(rewards, nameof(rewards));
        KernelGuard.SameShape(mask, nameof(mask), rewards, nameof(rewards));
        Guard.Fraction(gamma, nameof(gamma));
        if (bootstrap is not null && (bootstrap.dim() != 1 || bootstrap.size(0) != rewards.size(0)))
            throw new ArgumentException(
                $"bootstrap has shape {Guard.Shape(bootstrap)}, expected [{rewards.size(0)}], one value per row of rewards",
                nameof(bootstrap)
            );
        return type;
    }
}
