using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

/// <summary>Losses of pairs with their gradients, in one pass over CPU memory without an autograd graph.</summary>
/// <remarks>
/// Float32 and float64; computed in float64. The first tensor's type is that of the results, the others are converted to it. Results are
/// fresh tensors; the caller owns them. <see cref="Kernel.Attach"/> puts a result into a graph.
/// </remarks>
/// <exception cref="NotSupportedException">The tensors are not on the CPU, or of a 16-bit type.</exception>
public static unsafe class PairwiseKernels
{
    /// <summary>True if <see cref="Dpo"/> has a closed form of the loss: all but those that sort the batch (AOT) and those of one's
    /// own.</summary>
    public static bool Supports(DpoLoss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return ClosedForms.Of(loss) is not null;
    }

    /// <summary>DPO and its family, as <see cref="PreferenceLosses.Dpo"/>.</summary>
    /// <param name="policy">Sequence log-probabilities under the policy, [B] each.</param>
    /// <param name="reference">Under the reference; null for none.</param>
    /// <param name="options">β = 0.1 and the logistic loss when null.</param>
    /// <param name="weights">[B], a factor of each pair's loss; 1 when null.</param>
    /// <param name="denominator">What the sum over pairs is divided by; B when null.</param>
    /// <returns>Gradients with respect to <c>policy.Chosen</c> and <c>policy.Rejected</c>; the rewards are βD.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a loss needs lengths that are not there.</exception>
    /// <exception cref="NotSupportedException">The loss has no closed form, see <see cref="Supports"/>, or the divergence is one of one's
    /// own.</exception>
    public static PairLossWithGradient Dpo(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective? options = null,
        Tensor? weights = null,
        double? denominator = null
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        options ??= DefaultDpo;
        options.Validate();
        var type = Check(policy, nameof(policy));
        if (reference is not null)
        {
            Check(reference, nameof(reference));
            KernelGuard.SameShape(reference.Chosen, "reference.Chosen", policy.Chosen, "policy.Chosen");
        }
        if (weights is not null)
            KernelGuard.SameShape(weights, nameof(weights), policy.Chosen, "policy.Chosen");
        if (denominator is { } given)
            Guard.Positive(given, nameof(denominator));
        var form =
            ClosedForms.Of(options.Loss) ?? throw new NotSupportedException($"{options.Loss} has no kernel; PreferenceLosses.Dpo has it");
        var link =
            ClosedForms.Of(options.Divergence)
            ?? throw new NotSupportedException($"the divergence {options.Divergence} has no kernel; PreferenceLosses.Dpo has it");
        if (form.LengthReason is { } reason)
        {
            using var scope = NewDisposeScope();
            if (policy.ChosenLengths is null)
                policy.ChosenCounts(reason);
            if (form.NeedsRejectedLengths && policy.RejectedLengths is null)
                policy.Divisors(reason);
        }
        return type == ScalarType.Float32
            ? Dpo<float>(policy, reference, options, form, link, weights, denominator)
            : Dpo<double>(policy, reference, options, form, link, weights, denominator);
    }

    /// <summary>Bradley-Terry, as <see cref="RewardModelLosses.BradleyTerry"/>.</summary>
    /// <param name="chosenRewards">r_w, [N].</param>
    /// <param name="rejectedRewards">r_l, [N].</param>
    /// <param name="margins">μ, [N]; 0 when null.</param>
    /// <param name="options">Centring and label smoothing; neither when null.</param>
    /// <param name="denominator">The number of pairs of the whole batch where this is a part of it; N when null.</param>
    /// <returns>Gradients with respect to both rewards.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static PairLossWithGradient BradleyTerry(
        Tensor chosenRewards,
        Tensor rejectedRewards,
        Tensor? margins = null,
        BradleyTerryObjective? options = null,
        double? denominator = null
    )
    {
        options ??= DefaultBradleyTerry;
        options.Check();
        Guard.Rank(chosenRewards, nameof(chosenRewards), 1, "[N]");
        var type = KernelGuard.Number(chosenRewards, nameof(chosenRewards));
        KernelGuard.SameShape(rejectedRewards, nameof(rejectedRewards), chosenRewards, nameof(chosenRewards));
        Guard.Floating(rejectedRewards, nameof(rejectedRewards));
        if (margins is not null)
            KernelGuard.SameShape(margins, nameof(margins), chosenRewards, nameof(chosenRewards));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        return type == ScalarType.Float32
            ? BradleyTerry<float>(chosenRewards, rejectedRewards, margins, options, denominator)
            : BradleyTerry<double>(chosenRewards, rejectedRewards, margins, options, denominator);
    }

    private static readonly DpoObjective DefaultDpo = new();
    private static readonly BradleyTerryObjective DefaultBradleyTerry = new();

    private static PairLossWithGradient Dpo<T>(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective options,
        PairForm form,
        ScoreForm link,
        Tensor? weights,
        double? denominator
    )
        where T : unmanaged
    {
        long pairs = policy.Chosen.size(0);
        Tensor losses = TensorMemory.Fresh(policy.Chosen),
            chosenGradient = TensorMemory.Fresh(policy.Chosen),
            rejectedGradient = TensorMemory.Fresh(policy.Chosen);
        using var chosen = new NumberSource<T>(policy.Chosen);
        using var rejected = new NumberSource<T>(policy.Rejected);
        using var chosenAnchor = new NumberSource<T>(reference?.Chosen);
        using var rejectedAnchor = new NumberSource<T>(reference?.Rejected);
        using var factors = new NumberSource<T>(weights);
        bool counts = form.LengthReason is not null;
        using var chosenLengths = new NumberSource<T>(counts ? policy.ChosenLengths : null);
        using var rejectedLengths = new NumberSource<T>(form.NeedsRejectedLengths ? policy.RejectedLengths : null);
        T* l = TensorMemory.Address<T>(losses),
            cg = TensorMemory.Address<T>(chosenGradient),
            rg = TensorMemory.Address<T>(rejectedGradient);

        double divisor = denominator ?? Math.Max(pairs, 1),
            total = 0;
        if (counts)
            for (long i = 0; i < pairs; i++)
                total += Scalars.Get(chosenLengths.Pointer + i);
        V beta = Vector256.Create(options.Beta),
            share = Vector256.Create(pairs / Math.Max(total, 1)),
            penalty = Vector256.Create(options.PositivePenalty);
        V sum = V.Zero,
            chosenSum = V.Zero,
            rejectedSum = V.Zero,
            right = V.Zero,
            scale = Vector256.Create(1 / divisor);
        for (long i = 0; i < pairs; i += Lanes.Count)
        {
            long count = pairs - i;
            V w = Lanes.Load(chosen.Pointer + i, count),
                r = Lanes.Load(rejected.Pointer + i, count);
            V wRatio = w,
                rRatio = r;
            if (reference is not null)
            {
                wRatio -= Lanes.Load(chosenAnchor.Pointer + i, count);
                rRatio -= Lanes.Load(rejectedAnchor.Pointer + i, count);
            }
            chosenSum += wRatio;
            rejectedSum += rRatio;
            right += Lanes.Where(Vector256.GreaterThan(wRatio, rRatio), V.One);

            var lanes = new PairLanes
            {
                Beta = beta,
                ChosenLogProbs = w,
                ChosenRatios = wRatio,
                RejectedRatios = rRatio,
                TokenShare = share,
            };
            if (options.ReferenceFree)
                (lanes.ChosenRatios, lanes.RejectedRatios) = (w, r);
            link.Of(lanes.ChosenRatios, out lanes.Chosen, out var wSlope);
            link.Of(lanes.RejectedRatios, out lanes.Rejected, out var rSlope);
            if (options.PositivePenalty > 0)
            {
                var below = Vector256.LessThan(lanes.ChosenRatios, V.Zero);
                lanes.Chosen += Lanes.Where(below, penalty * lanes.ChosenRatios);
                wSlope += Lanes.Where(below, penalty);
            }
            if (counts)
                lanes.ChosenLengths = Vector256.Max(Lanes.Load(chosenLengths.Pointer + i, count), V.One);
            if (form.NeedsRejectedLengths)
                lanes.RejectedLengths = Vector256.Max(Lanes.Load(rejectedLengths.Pointer + i, count), V.One);
            form.Add(ref lanes, 1);

            V factor = weights is null ? V.One : Lanes.Load(factors.Pointer + i, count),
                loss = lanes.Loss * factor;
            sum += Lanes.Where(Lanes.First(count), loss);
            factor *= scale;
            Lanes.Store(l + i, loss, count);
            Lanes.Store(cg + i, (lanes.ChosenSlope * wSlope + lanes.ChosenDirect) * factor, count);
            Lanes.Store(rg + i, (lanes.RejectedSlope * rSlope + lanes.RejectedDirect) * factor, count);
        }
        double each = Math.Max(pairs, 1);
        return new PairLossWithGradient(
            Vector256.Sum(sum) / divisor,
            losses,
            chosenGradient,
            rejectedGradient,
            Vector256.Sum(right) / each,
            options.Beta * Vector256.Sum(chosenSum) / each,
            options.Beta * Vector256.Sum(rejectedSum) / each
        );
    }

    private static PairLossWithGradient BradleyTerry<T>(
        Tensor chosenRewards,
        Tensor rejectedRewards,
        Tensor? margins,
        BradleyTerryObjective options,
        double? denominator
    )
        where T : unmanaged
    {
        long pairs = chosenRewards.size(0);
        Tensor losses = TensorMemory.Fresh(chosenRewards),
            chosenGradient = TensorMemory.Fresh(chosenRewards),
            rejectedGradient = TensorMemory.Fresh(chosenRewards);
        using var chosen = new NumberSource<T>(chosenRewards);
        using var rejected = new NumberSource<T>(rejectedRewards);
        using var margin = new NumberSource<T>(margins);
        T* l = TensorMemory.Address<T>(losses),
            cg = TensorMemory.Address<T>(chosenGradient),
            rg = TensorMemory.Address<T>(rejectedGradient);

        double given = denominator ?? pairs,
            divisor = given > 0 ? given : 1;
        var form = new LogisticMargin(1 - options.LabelSmoothing, options.LabelSmoothing);
        V scale = Vector256.Create(1 / divisor),
            centring = Vector256.Create(options.CenteringCoefficient);
        V sum = V.Zero,
            chosenSum = V.Zero,
            rejectedSum = V.Zero,
            right = V.Zero;
        for (long i = 0; i < pairs; i += Lanes.Count)
        {
            long count = pairs - i;
            V w = Lanes.Load(chosen.Pointer + i, count),
                r = Lanes.Load(rejected.Pointer + i, count),
                h = w - r;
            if (margins is not null)
                h -= Lanes.Load(margin.Pointer + i, count);
            form.Of(h, V.One, out var loss, out var slope);
            V pull = V.Zero;
            if (options.CenteringCoefficient > 0)
            {
                loss += (w + r) * (w + r) * centring;
                pull = 2 * (w + r) * centring;
            }
            sum += Lanes.Where(Lanes.First(count), loss);
            chosenSum += w;
            rejectedSum += r;
            right += Lanes.Where(Vector256.GreaterThan(w, r), V.One);
            Lanes.Store(l + i, loss, count);
            Lanes.Store(cg + i, (pull + slope) * scale, count);
            Lanes.Store(rg + i, (pull - slope) * scale, count);
        }
        double each = Math.Max(pairs, 1);
        return new PairLossWithGradient(
            Vector256.Sum(sum) / divisor,
            losses,
            chosenGradient,
            rejectedGradient,
            Vector256.Sum(right) / each,
            Vector256.Sum(chosenSum) / each,
            Vector256.Sum(rejectedSum) / each
        );
    }

    private static ScalarType Check(PairLogProbs pairs, string name)
    {
        Guard.Rank(pairs.Chosen, $"{name}.Chosen", 1, "[B]");
        var type = KernelGuard.Number(pairs.Chosen, $"{name}.Chosen");
        if (
            pairs.Rejected is null
            || pairs.Rejected.dim() != 1
            || pairs.Rejected.size(0) != pairs.Chosen.size(0)
            || (pairs.ChosenLengths is { } chosen && (chosen.dim() != 1 || chosen.size(0) != pairs.Chosen.size(0)))
            || (pairs.RejectedLengths is { } rejected && (rejected.dim() != 1 || rejected.size(0) != pairs.Chosen.size(0)))
        )
        {
            pairs.Validate(name);
        }
        Guard.Floating(pairs.Rejected!, $"{name}.Rejected");
        return type;
    }
}
