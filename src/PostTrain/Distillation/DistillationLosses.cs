using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Supervised;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Losses that draw a student's distributions, or its hidden states, to a teacher's.</summary>
/// <remarks>
/// No gradient flows through the teacher. What stands where the mask is 0, NaN included, changes neither a value nor a gradient; a mask
/// without a counted position gives 0. All return fresh tensors; the caller owns them. Sequence-level distillation (Kim and Rush 2016,
/// arXiv:1606.07947) needs no function here: it is <see cref="SupervisedLosses.NegativeLogLikelihood"/> on the teacher's answers.
/// </remarks>
public static class DistillationLosses
{
    /// <summary>L = agg[τ²·D(softmax(z_T/τ), softmax(z_S/τ))], position by position.</summary>
    /// <remarks>
    /// Hinton et al. 2015, arXiv:1503.02531, with the forward KL, whose gradient with respect to z_S is τ·(q − p); GKD, Agarwal et al.
    /// 2023, arXiv:2306.13649, with <see cref="Divergence.Gkd"/> (on the student's own samples it is on-policy; as there, no gradient flows
    /// through the sampling).
    /// </remarks>
    /// <param name="studentLogits">z_S, [B,T,V].</param>
    /// <param name="teacherLogits">z_T, [B,T,V], of the same positions and vocabulary.</param>
    /// <param name="mask">[B,T]; 1 where the position counts. The logits at t predict token t + 1: mask by what they predict.</param>
    /// <param name="options">Forward KL at temperature 1 on the full vocabulary when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static DistillationLoss Distill(
        Tensor studentLogits,
        Tensor teacherLogits,
        Tensor mask,
        DistillationObjective? options = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        options ??= new DistillationObjective();
        options.Check();
        Check(studentLogits, nameof(studentLogits), teacherLogits, nameof(teacherLogits), mask, "[B,T,V]");
        using var scope = NewDisposeScope();
        if (new DistillationCall(studentLogits, teacherLogits, mask, options, aggregation, denominator) is { IsTaken: true } call)
            return Closed(call);
        double scale = options.ScaleByTemperatureSquared ? options.Temperature * options.Temperature : 1;
        var rows = Rows(mask);
        var (student, teacher) = options.Support.On(
            Counted(studentLogits, rows).div(options.Temperature).log_softmax(-1),
            Counted(teacherLogits.detach().to_type(studentLogits.dtype), rows).div(options.Temperature).log_softmax(-1)
        );
        var losses = Spread(options.Divergence.Between(student, teacher) * scale, rows, studentLogits, mask);
        return Finish(losses, studentLogits, teacherLogits, mask, aggregation, denominator);
    }

    /// <summary>L = α·CE(targets) + (1−α)·<see cref="Distill"/>: labels and teacher together.</summary>
    /// <remarks>Hinton et al. 2015, section 2. The cross-entropy is at temperature 1.</remarks>
    /// <param name="studentLogits">z_S, [B,T,V].</param>
    /// <param name="teacherLogits">z_T, [B,T,V].</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the position counts.</param>
    /// <param name="labelWeight">α, between 0 and 1; ½ by default. At 0 and 1 only one of the two terms is computed.</param>
    /// <param name="options">Forward KL at temperature 1 on the full vocabulary when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static DistillationLoss WithLabels(
        Tensor studentLogits,
        Tensor teacherLogits,
        Tensor targets,
        Tensor mask,
        double labelWeight = 0.5,
        DistillationObjective? options = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Fraction(labelWeight, nameof(labelWeight));
        using var scope = NewDisposeScope();
        var soft = Distill(studentLogits, teacherLogits, mask, options, aggregation, denominator);
        var hard = SupervisedLosses.NegativeLogLikelihood(studentLogits, targets, mask, aggregation, denominator);
        // A term of weight 0 may be infinite.
        Tensor Mix(Tensor label, Tensor teacher) =>
            labelWeight == 0 ? teacher
            : labelWeight == 1 ? label
            : label * labelWeight + teacher * (1 - labelWeight);
        return new DistillationLoss(
            Mix(hard.Loss, soft.Loss).MoveToOuterDisposeScope(),
            Mix(hard.TokenLosses, soft.TokenLosses).MoveToOuterDisposeScope(),
            soft.Agreement.MoveToOuterDisposeScope()
        );
    }

    /// <summary>L = agg[1 − cos(x_S, x_T)], of hidden states or logits; between 0 and 2.</summary>
    /// <remarks>
    /// DistilBERT, Sanh et al. 2019, arXiv:1910.01108, section 3, for hidden states. Where a vector is 0 the cosine is 0. Does not depend
    /// on the vectors' lengths, and neither overflows nor underflows for any that are finite. The agreement compares the greatest
    /// components: of use for logits only.
    /// </remarks>
    /// <param name="student">x_S, [B,T,D].</param>
    /// <param name="teacher">x_T, [B,T,D].</param>
    /// <param name="mask">[B,T]; 1 where the position counts.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static DistillationLoss Cosine(
        Tensor student,
        Tensor teacher,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Check(student, nameof(student), teacher, nameof(teacher), mask, "[B,T,D]");
        using var scope = NewDisposeScope();
        var rows = Rows(mask);
        var cosine = (Unit(Counted(student, rows)) * Unit(Counted(teacher.detach().to_type(student.dtype), rows))).sum(-1L);
        return Finish(Spread(1 - cosine, rows, student, mask), student, teacher, mask, aggregation, denominator);
    }

    /// <summary>On-policy distillation on sampled tokens: L = agg[sg[(log q − log p)·min(ρ, c)]·log q], ρ = q/q_old.</summary>
    /// <remarks>
    /// Its gradient is the policy gradient −A·∇log q with the advantage A = −(log q − log p) of each token by itself,
    /// <see cref="DistillationAdvantages.PerToken"/>; its expectation over the student's own tokens is the gradient of the position's
    /// KL(q‖p). Lu et al. 2025, "On-Policy Distillation" (Thinking Machines); with the cap: SDPO, arXiv:2601.20802. The ratio is a constant
    /// weight (truncated importance sampling), not a surrogate; its logarithm is kept within ±20 (<see cref="KlDivergence.RatioBound"/>).
    /// </remarks>
    /// <param name="logProbs">log q of the sampled tokens, [B,T].</param>
    /// <param name="oldLogProbs">log q at sampling time, [B,T]; null: they are the student's own, ρ = 1.</param>
    /// <param name="teacherLogProbs">log p of the same tokens, [B,T].</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="ratioCap">c, above 0; no cap when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static SampledDistillationLoss SampledReverseKl(
        Tensor logProbs,
        Tensor? oldLogProbs,
        Tensor teacherLogProbs,
        Tensor mask,
        double? ratioCap = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        if (ratioCap is { } given)
            Guard.Positive(given, nameof(ratioCap));
        using var scope = NewDisposeScope();
        var advantages = DistillationAdvantages.PerToken(logProbs, teacherLogProbs, mask);
        var kl = Masked.Mean(advantages, mask).neg();
        var weighted = advantages;
        if (oldLogProbs is not null)
        {
            Guard.SameShape(oldLogProbs, nameof(oldLogProbs), logProbs, nameof(logProbs));
            var ratio = KlDivergence.Bounded(Masked.Counted(logProbs.detach() - oldLogProbs.detach(), mask)).exp();
            weighted = advantages * (ratioCap is { } cap ? ratio.clamp_max(cap) : ratio);
        }
        var losses = (weighted * Masked.Counted(logProbs, mask)).neg();
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);
        return new SampledDistillationLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), kl.MoveToOuterDisposeScope());
    }

    /// <summary>MiniLLM: L = agg[w·(KL(q_t‖p_t) − A_t·log q(y_t))], A_t = the later tokens' log p − log q.</summary>
    /// <remarks>
    /// Gu et al. 2023, arXiv:2306.08543, section 2.2, derived again: the gradient of KL(q(y)‖p(y)) over whole answers is E[Σ_t ∇KL(q_t‖p_t)
    /// − A_t·∇log q(y_t)], A_t = Σ_{i&gt;t} log p/q. The first part is exact at each position (the single-step decomposition), the second a
    /// policy gradient with the <em>later</em> tokens' rewards. With γ = 1, no length normalisation and the aggregation
    /// <c>SequenceSum(1)</c>, the expected gradient on the student's own samples is that gradient exactly. TRL's trainer counts the token's
    /// own reward in A_t besides the exact first part, discounts from the answer's start, and normalises by a length that holds masked
    /// positions.
    /// </remarks>
    /// <param name="studentLogits">[B,T,V]; the logits at a position predict its token.</param>
    /// <param name="teacherLogits">[B,T,V].</param>
    /// <param name="tokens">y, [B,T]: sampled token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="options">The paper's, length-normalised, when null.</param>
    /// <param name="weights">w, [B,T], without a gradient: <see cref="DistillationAdvantages.MixedSamplingWeights"/> for answers of a
    /// mixture; 1 when null.</param>
    /// <param name="aggregation">Sequence mean when null: each answer by its length.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static SampledDistillationLoss MiniLlm(
        Tensor studentLogits,
        Tensor teacherLogits,
        Tensor tokens,
        Tensor mask,
        MiniLlmObjective? options = null,
        Tensor? weights = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Check(studentLogits, nameof(studentLogits), teacherLogits, nameof(teacherLogits), mask, "[B,T,V]");
        if (weights is not null)
            Guard.SameShape(weights, nameof(weights), mask, nameof(mask));
        using var scope = NewDisposeScope();
        var logProbs = TokenLogProbs.Gather(studentLogits, tokens, mask);
        var teacherLogProbs = TokenLogProbs.Gather(teacherLogits.detach().to_type(studentLogits.dtype), tokens, mask);
        var advantages = DistillationAdvantages.MiniLlm(logProbs, teacherLogProbs, mask, options);
        // A gradient of each token's loss is wanted, which one pass does not give.
        Tensor single;
        using (Fused.Reference())
            single = Distill(
                studentLogits,
                teacherLogits,
                mask,
                new DistillationObjective { Divergence = Divergence.ReverseKl }
            ).TokenLosses;
        var losses = single - advantages * logProbs;
        if (weights is not null)
            losses = losses * Masked.Counted(weights.detach().to_type(losses.dtype), mask);
        var loss = (aggregation ?? LossAggregation.SequenceMean).Apply(losses, mask, denominator);

        using var _ = no_grad();
        var kl = Masked.Mean(logProbs.detach() - teacherLogProbs, mask);
        return new SampledDistillationLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), kl.MoveToOuterDisposeScope());
    }

    private static DistillationLoss Closed(DistillationCall call)
    {
        if (call.Denominator is { } given)
            Guard.NotNegative(given, "denominator");
        var found = DistillationPass.Run(call);
        var (loss, losses) = LossOperator.Run(
            found.Loss,
            found.Losses,
            [found.Gradient],
            [call.Student, call.Teacher, call.Mask],
            own =>
            {
                var again = Distill(own[0]!, own[1]!, own[2]!, call.Options, call.Aggregation, call.Denominator);
                return (again.Loss, again.TokenLosses);
            }
        );
        return new DistillationLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            tensor(found.Agreement, dtype: losses.dtype).MoveToOuterDisposeScope()
        );
    }

    private static DistillationLoss Finish(
        Tensor losses,
        Tensor student,
        Tensor teacher,
        Tensor mask,
        LossAggregation? aggregation,
        double? denominator
    )
    {
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);
        using var _ = no_grad();
        var agreement = Masked.Mean(student.argmax(-1).eq(teacher.argmax(-1)).to_type(losses.dtype), mask);
        return new DistillationLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), agreement.MoveToOuterDisposeScope());
    }

    // A unit vector in x's direction, 0 for x = 0. Scaled by the greatest component first: squares of 1e-200 or 1e200 have no float64.
    private static Tensor Unit(Tensor vectors)
    {
        var greatest = vectors.detach().abs().amax([-1L], keepdim: true);
        var none = greatest == 0;
        var scaled = vectors / greatest.masked_fill(none, 1);
        return scaled * scaled.square().sum(-1L, keepdim: true).masked_fill(none, 1).rsqrt();
    }

    private static Tensor Rows(Tensor mask) => mask.reshape(-1).nonzero().squeeze(-1);

    // Rows that do not count must not enter a softmax: its backward would multiply their NaN by 0.
    private static Tensor Counted(Tensor values, Tensor rows) => values.reshape(-1, values.shape[^1]).index_select(0, rows);

    private static Tensor Spread(Tensor counted, Tensor rows, Tensor like, Tensor mask) =>
        like.new_zeros(mask.numel()).index_copy(0, rows, counted).view(mask.shape);

    private static void Check(Tensor student, string studentName, Tensor teacher, string teacherName, Tensor mask, string shape)
    {
        ArgumentNullException.ThrowIfNull(mask);
        Guard.Rank(student, studentName, 3, shape);
        Guard.Floating(student, studentName);
        Guard.Floating(teacher, teacherName);
        Guard.SameShape(teacher, teacherName, student, studentName);
        if (!mask.shape.AsSpan().SequenceEqual(student.shape.AsSpan()[..2]))
            throw new ArgumentException(
                $"mask has shape {Guard.Shape(mask)}, expected {studentName}' shape {Guard.Shape(student)} without its last dimension",
                nameof(mask)
            );
        if (student.shape[2] == 0)
            throw new ArgumentException($"{studentName} has shape {Guard.Shape(student)}, expected at least one component", studentName);
    }
}
