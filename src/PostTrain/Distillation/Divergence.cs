using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>A divergence between the teacher's distribution p and the student's q: a sum over the vocabulary, in nats.</summary>
/// <remarks>
/// All are at least 0 on distributions, and 0 only where q = p. Where the distribution that a KL averages over has no mass, its term is 0
/// (0·log 0 = 0); where a KL is infinite, so is the result. Finite log-probabilities of −1e4 and below give finite values and gradients. No
/// gradient flows through the teacher. Forward KL covers the teacher's modes, reverse KL seeks one.
/// </remarks>
public abstract record Divergence
{
    private Divergence() { }

    /// <summary>KL(p‖q) = Σ p·log(p/q): knowledge distillation, Hinton et al. 2015, arXiv:1503.02531.</summary>
    public static Divergence ForwardKl { get; } = new SymmetricKlDivergence(1);

    /// <summary>KL(q‖p) = Σ q·log(q/p): MiniLLM, Gu et al. 2023, arXiv:2306.08543, eq. 1.</summary>
    public static Divergence ReverseKl { get; } = new SymmetricKlDivergence(0);

    /// <summary>½ Σ |p − q|, between 0 and 1: f-Distill, Wen et al. 2023, arXiv:2307.15190.</summary>
    public static Divergence TotalVariation { get; } = new TotalVariationDivergence();

    /// <summary>w·KL(p‖q) + (1−w)·KL(q‖p); with w = ½, half of Jeffreys' divergence.</summary>
    /// <param name="forwardWeight">w, between 0 and 1; ½ by default.</param>
    public static Divergence SymmetricKl(double forwardWeight = 0.5)
    {
        Guard.Fraction(forwardWeight, nameof(forwardWeight));
        return new SymmetricKlDivergence(forwardWeight);
    }

    /// <summary>Generalised Jensen-Shannon divergence β·KL(p‖m) + (1−β)·KL(q‖m), m = β·p + (1−β)·q.</summary>
    /// <remarks>
    /// Agarwal et al. 2023 (GKD), arXiv:2306.13649, section 2. Symmetric at β = ½; at most −β·log β − (1−β)·log(1−β), so log 2 at ½. It
    /// vanishes at both ends: JSD/β → KL(p‖q) for β → 0, and JSD/(1−β) → KL(q‖p) for β → 1.
    /// </remarks>
    /// <param name="beta">β, strictly between 0 and 1.</param>
    public static Divergence GeneralizedJsd(double beta)
    {
        if (!(beta is > 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(beta),
                beta,
                "beta must lie strictly between 0 and 1; Gkd puts the KL divergences at the ends"
            );
        return new GeneralizedJsdDivergence(beta);
    }

    /// <summary>GKD's convention: <see cref="ForwardKl"/> at β = 0, <see cref="ReverseKl"/> at β = 1, <see cref="GeneralizedJsd"/> between
    /// them.</summary>
    /// <remarks>It jumps at the ends, where the divergence itself goes to 0: see the limits there. TRL and the paper do the same.</remarks>
    /// <param name="beta">β, between 0 and 1.</param>
    public static Divergence Gkd(double beta)
    {
        Guard.Fraction(beta, nameof(beta));
        return beta == 0 ? ForwardKl
            : beta == 1 ? ReverseKl
            : GeneralizedJsd(beta);
    }

    /// <summary>A divergence of your own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">
    /// What each token adds to the divergence, from log q of the student and log p of the teacher (no gradient), both [..., V]; of the same
    /// shape. Tensors that it makes belong to the caller's dispose scope.
    /// </param>
    public static Divergence Of(string name, Func<Tensor, Tensor, Tensor> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnDivergence(name, function);
    }

    /// <summary>The divergence of each position: <see cref="Terms"/> summed over the last dimension.</summary>
    /// <param name="studentLogProbs">log q, [..., V]; normalised, or on a part of the vocabulary.</param>
    /// <param name="teacherLogProbs">log p, the same shape.</param>
    /// <returns>[...]; differentiable in the student's.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public Tensor Between(Tensor studentLogProbs, Tensor teacherLogProbs)
    {
        using var scope = NewDisposeScope();
        return Terms(studentLogProbs, teacherLogProbs).sum(-1L).MoveToOuterDisposeScope();
    }

    /// <summary>Computes each token's term of the divergence; a single term may be negative.</summary>
    /// <param name="studentLogProbs">log q, any shape but a scalar.</param>
    /// <param name="teacherLogProbs">log p, the same shape.</param>
    /// <returns>The same shape; differentiable in the student's.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public Tensor Terms(Tensor studentLogProbs, Tensor teacherLogProbs)
    {
        Guard.Floating(studentLogProbs, nameof(studentLogProbs));
        Guard.Floating(teacherLogProbs, nameof(teacherLogProbs));
        Guard.SameShape(teacherLogProbs, nameof(teacherLogProbs), studentLogProbs, nameof(studentLogProbs));
        using var scope = NewDisposeScope();
        return Compute(studentLogProbs, teacherLogProbs.detach().to_type(studentLogProbs.dtype)).MoveToOuterDisposeScope();
    }

    // Intermediate results belong to the caller's scope.
    private protected abstract Tensor Compute(Tensor student, Tensor teacher);

    // Σ e^a (a − b), 0 where e^a is 0: there 0·(−∞ + ∞) would be NaN, and an underflowing probability against an impossible one too.
    private static Tensor Kl(Tensor a, Tensor b)
    {
        var probability = a.exp();
        var none = probability.detach() == 0;
        return probability * (a.masked_fill(none, 0) - b.masked_fill(none, 0));
    }

    private sealed record OwnDivergence(string Name, Func<Tensor, Tensor, Tensor> Function) : Divergence
    {
        private protected override Tensor Compute(Tensor student, Tensor teacher) =>
            Guard.Result(Function(student, teacher), $"the divergence '{Name}'", student.shape, "the student's log-probs");

        public override string ToString() => Name;
    }

    internal sealed record SymmetricKlDivergence(double ForwardWeight) : Divergence
    {
        // A divergence of weight 0 is not computed: it may be infinite.
        private protected override Tensor Compute(Tensor student, Tensor teacher) =>
            ForwardWeight == 1 ? Kl(teacher, student)
            : ForwardWeight == 0 ? Kl(student, teacher)
            : Kl(teacher, student) * ForwardWeight + Kl(student, teacher) * (1 - ForwardWeight);

        public override string ToString() =>
            ForwardWeight == 1 ? "forward KL"
            : ForwardWeight == 0 ? "reverse KL"
            : FormattableString.Invariant($"symmetric KL, forward weight {ForwardWeight}");
    }

    internal sealed record TotalVariationDivergence : Divergence
    {
        private protected override Tensor Compute(Tensor student, Tensor teacher) => (student.exp() - teacher.exp()).abs() * 0.5;

        public override string ToString() => "total variation";
    }

    internal sealed record GeneralizedJsdDivergence(double Beta) : Divergence
    {
        private protected override Tensor Compute(Tensor student, Tensor teacher)
        {
            // With d = log[(1−β)q / βp]: p/m = σ(−d)/β and q/m = σ(d)/(1−β). No logarithm of a sum that may underflow.
            var difference = student - teacher + Math.Log((1 - Beta) / Beta);
            var (q, p) = (student.exp(), teacher.exp());
            var fromTeacher = p * (difference.masked_fill(p == 0, 0).neg().log_sigmoid() - Math.Log(Beta));
            var fromStudent = q * (difference.masked_fill(q.detach() == 0, 0).log_sigmoid() - Math.Log(1 - Beta));
            return fromTeacher * Beta + fromStudent * (1 - Beta);
        }

        public override string ToString() => FormattableString.Invariant($"generalised JSD, beta {Beta}");
    }
}
