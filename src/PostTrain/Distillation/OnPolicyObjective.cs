using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Objective of the student at the tokens of completions that it wrote itself.</summary>
public abstract record OnPolicyObjective
{
    private OnPolicyObjective() { }

    /// <summary>GKD (Agarwal et al. 2023, arXiv:2306.13649): the generalised JSD of whole distributions; β = 0 is the forward KL, 1 the
    /// reverse KL.</summary>
    /// <param name="beta">β, between 0 and 1; ½ by default.</param>
    public static OnPolicyObjective Gkd(double beta = 0.5) =>
        Distributions(new DistillationObjective { Divergence = Divergence.Gkd(beta) });

    /// <summary>Any divergence of whole distributions, <see cref="DistillationLosses.Distill"/>. No gradient flows through the sampling, so
    /// other completions do as well.</summary>
    /// <param name="options">Divergence, temperature and support; the temperature of sampling does not enter.</param>
    public static OnPolicyObjective Distributions(DistillationObjective options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        return new DistributionObjective(options);
    }

    /// <summary>MiniLLM (Gu et al. 2023, arXiv:2306.08543): the gradient of the reverse KL of whole answers,
    /// <see cref="DistillationLosses.MiniLlm"/>.</summary>
    /// <remarks>Sampled from the student alone, not from a mixture with the teacher. The paper's mean over answers of their token means is
    /// <see cref="LossAggregation.SequenceMean"/>.</remarks>
    /// <param name="options">The paper's, length-normalised, when null.</param>
    public static OnPolicyObjective MiniLlm(MiniLlmObjective? options = null)
    {
        options ??= new MiniLlmObjective();
        options.Check();
        return new SequenceObjective(options);
    }

    /// <summary>Advantages −(log q − log p), each token by itself, <see cref="DistillationLosses.SampledReverseKl"/>: needs of the teacher
    /// only the log-probs of the tokens.</summary>
    /// <param name="ratioCap">The most that a token's ratio to the student that drew it counts, above 0, where a batch is used for several
    /// updates; null: no cap.</param>
    public static OnPolicyObjective PerToken(double? ratioCap = null)
    {
        if (ratioCap is { } cap)
            Guard.Positive(cap, nameof(ratioCap));
        return new TokenObjective(ratioCap);
    }

    /// <summary>Importance-weighted on-policy distillation: the advantages of single tokens times
    /// <see cref="DistillationAdvantages.PrefixWeights"/>, so that the first disagreements of an answer count most.</summary>
    /// <param name="gamma">γ, at least 0: the first token weighs 1 + γ, the last near 1. At 0 it is <see cref="PerToken"/>.</param>
    public static OnPolicyObjective ImportanceWeighted(double gamma = 1)
    {
        Guard.NotNegative(gamma, nameof(gamma));
        return new WeightedTokenObjective(gamma);
    }

    /// <summary>An objective of one's own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Loss of each token, [B,T], with the student's gradient. Tensors that it makes belong to the caller's dispose
    /// scope.</param>
    /// <param name="ofSamples">Whether it holds only for completions that the student drew; false by default.</param>
    public static OnPolicyObjective Of(string name, Func<OnPolicyPart, Tensor> function, bool ofSamples = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnObjective(name, function, ofSamples);
    }

    /// <summary>True if the loss holds only for completions that the student drew, under the distribution that it drew them from.</summary>
    internal abstract bool OfSamples { get; }

    /// <summary>True if a batch may serve several updates.</summary>
    internal virtual bool Repeatable => true;

    internal abstract Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means);

    private sealed record OwnObjective(string Name, Func<OnPolicyPart, Tensor> Function, bool Samples) : OnPolicyObjective
    {
        internal override bool OfSamples => Samples;

        internal override Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means) =>
            aggregation.Apply(
                Masked.Counted(Guard.Result(Function(part), $"the objective '{Name}'", part.Mask.shape, "the mask"), part.Mask),
                part.Mask,
                denominator
            );

        public override string ToString() => Name;
    }

    private sealed record DistributionObjective(DistillationObjective Options) : OnPolicyObjective
    {
        internal override bool OfSamples => false;

        internal override Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means)
        {
            var loss = DistillationLosses.Distill(part.Student.Logits, part.Teacher.Logits, part.Mask, Options, aggregation, denominator);
            means.Add("agreement", loss.Agreement, part.Mask.sum().ToDouble());
            return loss.Loss;
        }
    }

    private sealed record SequenceObjective(MiniLlmObjective Options) : OnPolicyObjective
    {
        internal override bool OfSamples => true;

        internal override bool Repeatable => false;

        internal override Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means) =>
            DistillationLosses
                .MiniLlm(part.Student.Logits, part.Teacher.Logits, part.Tokens, part.Mask, Options, null, aggregation, denominator)
                .Loss;
    }

    private sealed record WeightedTokenObjective(double Gamma) : OnPolicyObjective
    {
        internal override bool OfSamples => true;

        internal override Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means)
        {
            // Of the student that drew: its own where a batch is used once.
            var drawn = part.OldLogProbs ?? part.Student.LogProbs;
            var advantages = DistillationAdvantages.PerToken(drawn, part.Teacher.LogProbs, part.Mask);
            var weights = DistillationAdvantages.PrefixWeights(advantages, part.Mask, Gamma);
            means.Add("iw/weight", Masked.Mean(weights, part.Mask), part.Mask.sum().ToDouble());
            return aggregation.Apply(
                (weights * advantages * Masked.Counted(part.Student.LogProbs, part.Mask)).neg(),
                part.Mask,
                denominator
            );
        }
    }

    private sealed record TokenObjective(double? RatioCap) : OnPolicyObjective
    {
        internal override bool OfSamples => true;

        internal override Tensor Loss(OnPolicyPart part, LossAggregation aggregation, double denominator, MetricMeans means) =>
            DistillationLosses
                .SampledReverseKl(
                    part.Student.LogProbs,
                    part.OldLogProbs,
                    part.Teacher.LogProbs,
                    part.Mask,
                    RatioCap,
                    aggregation,
                    denominator
                )
                .Loss;
    }
}
