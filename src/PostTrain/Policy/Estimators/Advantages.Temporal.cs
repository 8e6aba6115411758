using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

public static partial class Advantages
{
    /// <summary>Computes generalised advantage estimates: δ_t = r_t + γV_{t+1} − V_t, A_t = δ_t + γλA_{t+1}, R_t = A_t + V_t.</summary>
    /// <remarks>
    /// Schulman et al. 2016, arXiv:1506.02438, eq. 16. Uncounted positions (padding, tool output) are not steps: the step before them is
    /// followed by the next counted one, as in verl; rewards and values there are not read. λ = 1 gives the discounted return minus V, λ =
    /// 0 the one-step temporal difference. Computed in blocks of 128 steps as a product with powers of γλ; a NaN spreads over its whole
    /// row.
    /// </remarks>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="values">V at the state in which the token was chosen, [B,T]; no gradient flows through it.</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="gamma">γ, 0 to 1; 1 by default, as usual for language.</param>
    /// <param name="lambda">λ, 0 to 1; 0.95 by default.</param>
    /// <param name="bootstrap">V of the state after the last step, [B], for completions truncated at a length limit; null means 0 (the
    /// completion ended).</param>
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
        CheckSteps(rewards, mask, gamma);
        Guard.SameShape(values, nameof(values), rewards, nameof(rewards));
        Guard.Fraction(lambda, nameof(lambda));
        CheckBootstrap(bootstrap, rewards);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var steps = new CountedSteps(mask);
        var value = steps.Pack(values.detach().to_type(rewards.dtype));
        var delta = steps.Pack(rewards.detach()) + steps.Next(value, bootstrap) * gamma - value;
        var advantages = CountedSteps.DiscountedSums(delta, gamma * lambda);
        return new AdvantageEstimate(
            steps.Unpack(advantages).MoveToOuterDisposeScope(),
            steps.Unpack(advantages + value).MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes discounted Monte-Carlo returns G_t = Σ_k γ^k r_{t+k} over the counted steps.</summary>
    /// <remarks>The weights of REINFORCE (Williams 1992). γ = 1 gives the reward to go; uncounted positions are not steps.</remarks>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="gamma">γ, 0 to 1; 1 by default.</param>
    /// <param name="bootstrap">Value of the state after the last step, [B]; null means 0.</param>
    /// <returns>[B,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor Returns(Tensor rewards, Tensor mask, double gamma = 1, Tensor? bootstrap = null)
    {
        CheckSteps(rewards, mask, gamma);
        CheckBootstrap(bootstrap, rewards);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var steps = new CountedSteps(mask);
        var packed = steps.Pack(rewards.detach());
        if (bootstrap is not null)
            packed += steps.Next(zeros_like(packed), bootstrap) * gamma;
        return steps.Unpack(CountedSteps.DiscountedSums(packed, gamma)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes V-trace: v_t = V_t + Σ_k γ^k (Π c) δ_{t+k} with δ_t = ρ_t(r_t + γV_{t+1} − V_t), and A_t = ρ_t(r_t + γv_{t+1} −
    /// V_t).</summary>
    /// <remarks>
    /// Espeholt et al. 2018, arXiv:1802.01561, eq. 1 and section 4.2: ρ_t = min(ρ̄, π/π_old), c_t = λ·min(c̄, π/π_old). On-policy it is the
    /// λ-return. Since the coefficients vary by token, it iterates over T, vectorised over B.
    /// </remarks>
    /// <param name="logProbs">log π of the taken tokens, [B,T]; no gradient flows through it.</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="rewards">r, [B,T].</param>
    /// <param name="values">V, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token is a step.</param>
    /// <param name="options">γ, λ, ρ̄ and c̄; null means all 1.</param>
    /// <param name="bootstrap">V of the state after the last step, [B]; null means 0.</param>
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
        CheckSteps(rewards, mask, options.Gamma);
        Guard.SameShape(logProbs, nameof(logProbs), rewards, nameof(rewards));
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), rewards, nameof(rewards));
        Guard.SameShape(values, nameof(values), rewards, nameof(rewards));
        CheckBootstrap(bootstrap, rewards);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var steps = new CountedSteps(mask);
        var value = steps.Pack(values.detach().to_type(rewards.dtype));
        var reward = steps.Pack(rewards.detach());
        var ratio = steps.Pack((logProbs.detach() - oldLogProbs.detach()).to_type(rewards.dtype)).exp();
        var rho = ratio.clamp_max(options.RhoBar);
        var delta = rho * (reward + steps.Next(value, bootstrap) * options.Gamma - value);
        var trace = ratio.clamp_max(options.CBar) * (options.Gamma * options.Lambda);
        var excess = new Tensor[rewards.shape[1]];
        for (int t = excess.Length - 1; t >= 0; t--)
            excess[t] = t + 1 < excess.Length ? delta.select(1, t) + trace.select(1, t) * excess[t + 1] : delta.select(1, t);
        var target = excess.Length == 0 ? value.clone() : value + stack(excess, 1);
        var advantages = rho * (reward + steps.Next(target, bootstrap) * options.Gamma - value);
        return new AdvantageEstimate(steps.Unpack(advantages).MoveToOuterDisposeScope(), steps.Unpack(target).MoveToOuterDisposeScope());
    }

    private static void CheckSteps(Tensor rewards, Tensor mask, double gamma)
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[B,T]");
        Guard.Floating(rewards, nameof(rewards));
        Guard.SameShape(mask, nameof(mask), rewards, nameof(rewards));
        Guard.Fraction(gamma, nameof(gamma));
    }

    private static void CheckBootstrap(Tensor? bootstrap, Tensor rewards)
    {
        if (bootstrap is not null && (bootstrap.dim() != 1 || bootstrap.shape[0] != rewards.shape[0]))
            throw new ArgumentException(
                $"bootstrap has shape {Guard.Shape(bootstrap)}, expected [{rewards.shape[0]}], one value per row of rewards",
                nameof(bootstrap)
            );
    }
}
