using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Scalars of a correction, read from the device at once. Its tensors belong to the scope in which it is used.</summary>
internal sealed class CorrectionMetrics
{
    private readonly List<(string Name, Tensor Value)> entries = [];
    private readonly Tensor counted;
    private readonly Tensor sequences;

    internal CorrectionMetrics(Tensor mask) => (counted, sequences) = (mask != 0, (mask != 0).any(1));

    internal void Add(string name, Tensor scalar) => entries.Add((name, scalar));

    /// <summary>Adds the distance between trainer and sampler.</summary>
    internal void AddGap(Tensor logProbs, Tensor samplerLogProbs)
    {
        var gap = KlDivergence.Bounded(Masked.Counted(samplerLogProbs - logProbs, counted));
        Add("kl", Masked.Mean(samplerLogProbs - logProbs, counted));
        Add("kl_k3", Masked.Mean(KlDivergence.Estimate(samplerLogProbs, logProbs, counted), counted));
        Add("chi2", Masked.Mean((gap * -2).exp(), counted) - 1);
        var whole = Masked.Counted(samplerLogProbs - logProbs, counted).sum(1L);
        Add("sequence_chi2", Masked.Mean((KlDivergence.Bounded(whole) * -2).exp(), sequences) - 1);
        var (own, sampler) = (-Masked.Mean(logProbs, counted, 1), -Masked.Mean(samplerLogProbs, counted, 1));
        Add("perplexity", Masked.Mean(own.exp(), sequences));
        Add("log_perplexity", Masked.Mean(own, sequences));
        Add("sampler_perplexity", Masked.Mean(sampler.exp(), sequences));
        Add("sampler_log_perplexity", Masked.Mean(sampler, sequences));
        var difference = own - sampler;
        Add("log_perplexity_gap", Masked.Mean(difference, sequences));
        Add("log_perplexity_gap_abs", Masked.Mean(difference.abs(), sequences));
        AddRange("log_perplexity_gap", difference, sequences);
        Add("perplexity_ratio", Masked.Mean(difference.exp(), sequences));
    }

    /// <summary>Adds the numbers of weights.</summary>
    /// <param name="raw">Unbounded, [B,T] or [B].</param>
    /// <param name="bounded">Bounded, of the same shape.</param>
    /// <param name="correction">Has the bounds.</param>
    internal void AddWeights(Tensor raw, Tensor bounded, ImportanceCorrection correction)
    {
        double upper = correction.Upper,
            lower = correction.Lower > 0 ? correction.Lower : 1 / upper;
        Tensor PerToken(Tensor weights) => Masked.Counted(weights.dim() == 1 ? weights.unsqueeze(1).expand_as(counted) : weights, counted);
        var tokens = PerToken(bounded);
        var whole = Masked.Mean(PerToken(raw), counted, 1);
        var (judged, among) = correction.WholeSequences ? (whole, sequences) : (raw, counted);
        var mean = Masked.Mean(tokens, counted);
        Add("weight", mean);
        Add("weight_std", Masked.Variance(tokens, counted).sqrt());
        AddRange("weight", tokens, counted);
        Add("weight_above", Share(judged > upper, among));
        Add("weight_below", Share(judged < lower, among));
        if (correction.Masks)
            Add("weight_masked", Share(tokens.eq(0), counted));
        var squares = Masked.Mean(tokens.square(), counted);
        // All weights 0: no sample is left.
        Add("effective_sample_size", mean.square() / squares.masked_fill(squares == 0, 1));
        AddSequences("sequence_weight", Masked.Mean(tokens, counted, 1), centre: 1);
        Add("sequence_weight_above", Share(whole > upper, sequences));
        Add("sequence_weight_below", Share((correction.WholeSequences ? whole : Masked.Mean(tokens, counted, 1)) < lower, sequences));
    }

    /// <summary>Adds the numbers of a rejection.</summary>
    /// <param name="rule">Has the bounds.</param>
    /// <param name="statistic">[B,T], 0 where nothing counts.</param>
    /// <param name="kept">[B,T], bool.</param>
    internal void AddRejection(RolloutRejection rule, Tensor statistic, Tensor kept)
    {
        var whole = Masked.Mean(statistic, counted, 1);
        var (judged, among) = rule.Level == RejectionLevel.Token ? (statistic, counted) : (whole, sequences);
        Add(rule.Name, Masked.Mean(statistic, counted));
        Add($"{rule.Name}_std", Masked.Variance(statistic.clamp(rule.Least, rule.Most), counted).sqrt());
        AddRange(rule.Name, statistic, counted);
        Add($"{rule.Name}_above", Share(judged > rule.Most, among));
        Add($"{rule.Name}_below", Share(judged < rule.Least, among));
        AddSequences($"{rule.Name}_sequence", whole, centre: 0);
        Add($"{rule.Name}_sequence_above", Share(whole > rule.Most, sequences));
        Add($"{rule.Name}_sequence_below", Share(whole < rule.Least, sequences));
        AddRejected($"{rule.Name}_", kept);
    }

    /// <summary>Adds the shares of tokens that do not count any more, and of sequences that lose a token.</summary>
    internal void AddRejected(string prefix, Tensor kept)
    {
        var lost = (kept == 0).logical_and(counted);
        Add($"{prefix}rejected", Share(lost, counted));
        Add($"{prefix}rejected_sequences", Share(lost.any(1), sequences));
    }

    /// <summary>Reads all numbers.</summary>
    internal Dictionary<string, double> Numbers()
    {
        var values = stack([.. entries.Select(entry => entry.Value.to_type(ScalarType.Float64))]).cpu().data<double>().ToArray();
        return entries.Zip(values).ToDictionary(pair => pair.First.Name, pair => pair.Second);
    }

    private void AddSequences(string name, Tensor means, double centre)
    {
        Add(name, Masked.Mean(means, sequences));
        Add($"{name}_std", Masked.Variance(means, sequences, unbiased: true).sqrt());
        AddRange(name, means, sequences);
        Add($"{name}_deviation", Masked.Counted((means - centre).abs(), sequences).amax());
    }

    // 0 where nothing counts.
    private void AddRange(string name, Tensor values, Tensor among)
    {
        var none = among.logical_not();
        var empty = none.all();
        Add($"{name}_min", values.masked_fill(none, double.PositiveInfinity).amin().masked_fill(empty, 0));
        Add($"{name}_max", values.masked_fill(none, double.NegativeInfinity).amax().masked_fill(empty, 0));
    }

    private static Tensor Share(Tensor chosen, Tensor among) => Masked.Mean(chosen.to_type(ScalarType.Float64), among);
}
