using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Which outcomes student and teacher are compared on.</summary>
public abstract record DistillationSupport
{
    private DistillationSupport() { }

    /// <summary>The whole vocabulary.</summary>
    public static DistillationSupport Full { get; } = new FullSupport();

    /// <summary>The k most likely tokens of a position; with k at least the vocabulary it is <see cref="Full"/>.</summary>
    /// <param name="k">At least 1.</param>
    /// <param name="tail">What becomes of the rest.</param>
    /// <param name="source">Whose k most likely tokens.</param>
    public static DistillationSupport TopK(int k, SupportTail tail = SupportTail.Bucket, SupportSource source = SupportSource.Teacher)
    {
        Guard.AtLeast(k, 1, nameof(k));
        if (!Enum.IsDefined(tail))
            throw new ArgumentOutOfRangeException(nameof(tail), tail, "expected Bucket or Renormalize");
        if (!Enum.IsDefined(source))
            throw new ArgumentOutOfRangeException(nameof(source), source, "expected Teacher or Student");
        return new TopKSupport(k, tail, source);
    }

    // From normalised log-probabilities [R,V] to normalised ones on the support; intermediate results belong to the caller's scope.
    internal abstract (Tensor Student, Tensor Teacher) Of(Tensor student, Tensor teacher);

    private sealed record FullSupport : DistillationSupport
    {
        internal override (Tensor Student, Tensor Teacher) Of(Tensor student, Tensor teacher) => (student, teacher);

        public override string ToString() => "full vocabulary";
    }

    private sealed record TopKSupport(int K, SupportTail Tail, SupportSource Source) : DistillationSupport
    {
        internal override (Tensor Student, Tensor Teacher) Of(Tensor student, Tensor teacher)
        {
            if (K >= student.shape[^1])
                return (student, teacher);
            var (_, tokens) = (Source == SupportSource.Teacher ? teacher : student).detach().topk(K, -1);
            return (On(student, tokens), On(teacher, tokens));
        }

        private Tensor On(Tensor logProbs, Tensor tokens)
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
            $"top {K} of the {(Source == SupportSource.Teacher ? "teacher" : "student")}, {(Tail == SupportTail.Bucket ? "the rest in one bucket" : "renormalised")}";
    }
}
