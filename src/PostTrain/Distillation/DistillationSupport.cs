using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>The outcomes on which student and teacher are compared.</summary>
public abstract record DistillationSupport
{
    private DistillationSupport() { }

    /// <summary>The whole vocabulary.</summary>
    public static DistillationSupport Full { get; } = new FullSupport();

    /// <summary>The k most likely tokens of a position; with k at least the vocabulary it is <see cref="Full"/>.</summary>
    /// <param name="k">At least 1.</param>
    /// <param name="tail">The treatment of the other tokens.</param>
    /// <param name="source">The model whose k most likely tokens are taken.</param>
    public static DistillationSupport TopK(int k, SupportTail tail = SupportTail.Bucket, SupportSource source = SupportSource.Teacher)
    {
        Guard.AtLeast(k, 1, nameof(k));
        if (!Enum.IsDefined(tail))
            throw new ArgumentOutOfRangeException(nameof(tail), tail, "expected Bucket or Renormalize");
        if (!Enum.IsDefined(source))
            throw new ArgumentOutOfRangeException(nameof(source), source, "expected Teacher or Student");
        return new TopKSupport(k, tail, source);
    }

    /// <summary>A support of your own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">
    /// From log q of the student and log p of the teacher (no gradient), both normalised, [R,V], to those on K outcomes, [R,K] each.
    /// Tensors that it makes belong to the caller's dispose scope.
    /// </param>
    public static DistillationSupport Of(string name, Func<Tensor, Tensor, (Tensor Student, Tensor Teacher)> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnSupport(name, function);
    }

    // From normalised log-probabilities [R,V] to normalised ones on the support; intermediate results belong to the caller's scope.
    internal abstract (Tensor Student, Tensor Teacher) On(Tensor student, Tensor teacher);

    private sealed record OwnSupport(string Name, Func<Tensor, Tensor, (Tensor Student, Tensor Teacher)> Function) : DistillationSupport
    {
        internal override (Tensor Student, Tensor Teacher) On(Tensor student, Tensor teacher)
        {
            var (own, other) = Function(student, teacher);
            string what = $"the support '{Name}'";
            if (own is null || own.dim() != 2 || own.shape[0] != student.shape[0])
                throw new InvalidOperationException(
                    $"{what} returned {(own is null ? "no tensor" : $"shape {Guard.Shape(own)}")} for the student, expected "
                        + $"[{student.shape[0]}, K]"
                );
            return (Guard.Result(own, what, own.shape, "itself"), Guard.Result(other, what, own.shape, "the student's"));
        }

        public override string ToString() => Name;
    }

    private sealed record FullSupport : DistillationSupport
    {
        internal override (Tensor Student, Tensor Teacher) On(Tensor student, Tensor teacher) => (student, teacher);

        public override string ToString() => "full vocabulary";
    }

    private sealed record TopKSupport(int K, SupportTail Tail, SupportSource Source) : DistillationSupport
    {
        internal override (Tensor Student, Tensor Teacher) On(Tensor student, Tensor teacher)
        {
            if (K >= student.shape[^1])
                return (student, teacher);
            var (_, tokens) = (Source == SupportSource.Teacher ? teacher : student).detach().topk(K, -1);
            return (Kept(student, tokens), Kept(teacher, tokens));
        }

        private Tensor Kept(Tensor logProbs, Tensor tokens)
        {
            var kept = logProbs.gather(-1, tokens);
            if (Tail == SupportTail.Renormalize)
                return kept.log_softmax(-1);
            // The logarithm of the rest's sum, not log(1 − Σ): that loses all digits of a small tail.
            var rest = logProbs.scatter(-1, tokens, full_like(kept.detach(), double.NegativeInfinity));
            var none = rest.detach().isneginf().all(-1, keepdim: true);
            var tail = rest.masked_fill(none, 0).logsumexp(-1, keepdim: true).masked_fill(none, double.NegativeInfinity);
            return cat([kept, tail], -1);
        }

        public override string ToString() =>
            $"top {K} of the {(Source == SupportSource.Teacher ? "teacher" : "student")}, "
            + $"{(Tail == SupportTail.Bucket ? "the rest in one bucket" : "renormalised")}";
    }
}
