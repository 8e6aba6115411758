using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>A loss of pairs in closed form: adds a factor times its value and slopes to the lanes.</summary>
internal abstract class PairForm
{
    /// <summary>The reason why the completions' lengths are needed; null if they are not.</summary>
    internal virtual string? LengthReason => null;

    /// <summary>True if the rejected completion's length is needed too.</summary>
    internal virtual bool NeedsRejectedLengths => false;

    internal abstract void Add(ref PairLanes lanes, double factor);
}

/// <summary>A loss of the margin h = β(s_w − s_l) − γ.</summary>
internal sealed class MarginPairForm(MarginForm margin, bool lengthNormalized, double target = 0) : PairForm
{
    internal override string? LengthReason => lengthNormalized ? "a length-normalised loss" : null;

    internal override bool NeedsRejectedLengths => lengthNormalized;

    internal override void Add(ref PairLanes lanes, double factor)
    {
        var (chosen, rejected) = (lanes.Beta, lanes.Beta);
        if (lengthNormalized)
            (chosen, rejected) = (chosen / lanes.ChosenLengths, rejected / lanes.RejectedLengths);
        margin.Of(lanes.Chosen * chosen - lanes.Rejected * rejected - Vector256.Create(target), lanes.Beta, out var loss, out var slope);
        var scale = Vector256.Create(factor);
        lanes.Loss += loss * scale;
        lanes.ChosenSlope += slope * chosen * scale;
        lanes.RejectedSlope -= slope * rejected * scale;
    }
}

/// <summary>A sum of a·(−log σ(βs_w)) + b·(−log σ(−βs_w)) + c·(−log σ(−βs_l)): NCA and BCO of pairs.</summary>
internal sealed class LogisticPairForm(double chosen, double against, double rejected) : PairForm
{
    internal override void Add(ref PairLanes lanes, double factor)
    {
        var (w, l) = (lanes.Chosen * lanes.Beta, lanes.Rejected * lanes.Beta);
        V a = Vector256.Create(chosen * factor),
            b = Vector256.Create(against * factor),
            c = Vector256.Create(rejected * factor);
        lanes.Loss -= a * Lanes.LogSigmoid(w) + b * Lanes.LogSigmoid(-w) + c * Lanes.LogSigmoid(-l);
        lanes.ChosenSlope += lanes.Beta * (b * Lanes.Sigmoid(w) - a * Lanes.Sigmoid(-w));
        lanes.RejectedSlope += lanes.Beta * c * Lanes.Sigmoid(l);
    }
}

/// <summary>(s_w − 1/(2β))² + (s_l + 1/(2β))².</summary>
internal sealed class SppoPairForm : PairForm
{
    internal override void Add(ref PairLanes lanes, double factor)
    {
        var (target, scale) = (Vector256.Create(0.5) / lanes.Beta, Vector256.Create(factor));
        var (w, l) = (lanes.Chosen - target, lanes.Rejected + target);
        lanes.Loss += (w * w + l * l) * scale;
        lanes.ChosenSlope += 2 * w * scale;
        lanes.RejectedSlope += 2 * l * scale;
    }
}

/// <summary>σ(−βD_w) + σ(βD_l), of plain log-ratios.</summary>
internal sealed class ApoZeroPairForm : PairForm
{
    internal override void Add(ref PairLanes lanes, double factor)
    {
        var scale = Vector256.Create(factor);
        var (w, l) = (Lanes.Sigmoid(-lanes.Beta * lanes.ChosenRatios), Lanes.Sigmoid(lanes.Beta * lanes.RejectedRatios));
        lanes.Loss += (w + l) * scale;
        lanes.ChosenDirect -= lanes.Beta * w * Lanes.Sigmoid(lanes.Beta * lanes.ChosenRatios) * scale;
        lanes.RejectedDirect += lanes.Beta * l * Lanes.Sigmoid(-lanes.Beta * lanes.RejectedRatios) * scale;
    }
}

/// <summary>σ(βD_w) + σ(−h), the first term of the plain log-ratio.</summary>
internal sealed class ApoDownPairForm : PairForm
{
    internal override void Add(ref PairLanes lanes, double factor)
    {
        var (scale, h) = (Vector256.Create(factor), lanes.Beta * (lanes.Chosen - lanes.Rejected));
        var (w, wrong) = (Lanes.Sigmoid(lanes.Beta * lanes.ChosenRatios), Lanes.Sigmoid(-h));
        var slope = lanes.Beta * wrong * Lanes.Sigmoid(h) * scale;
        lanes.Loss += (w + wrong) * scale;
        lanes.ChosenDirect += lanes.Beta * w * Lanes.Sigmoid(-lanes.Beta * lanes.ChosenRatios) * scale;
        lanes.ChosenSlope -= slope;
        lanes.RejectedSlope += slope;
    }
}

/// <summary>−log π(y_w) by token share or by length.</summary>
internal sealed class LikelihoodPairForm(bool tokenMean) : PairForm
{
    internal override string? LengthReason => "the likelihood term";

    internal override void Add(ref PairLanes lanes, double factor)
    {
        var weight = Vector256.Create(factor) * (tokenMean ? lanes.TokenShare : V.One / lanes.ChosenLengths);
        lanes.Loss -= lanes.ChosenLogProbs * weight;
        lanes.ChosenDirect -= weight;
    }
}

/// <summary>Σ_k w_k L_k.</summary>
internal sealed class MixedPairForm((double Weight, PairForm Form)[] terms) : PairForm
{
    internal override string? LengthReason => terms.Select(term => term.Form.LengthReason).FirstOrDefault(reason => reason is not null);

    internal override bool NeedsRejectedLengths => terms.Any(term => term.Form.NeedsRejectedLengths);

    internal override void Add(ref PairLanes lanes, double factor)
    {
        foreach (var (weight, form) in terms)
            form.Add(ref lanes, factor * weight);
    }
}
