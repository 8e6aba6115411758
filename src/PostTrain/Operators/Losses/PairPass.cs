using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>Losses of pairs of completions with their gradients, four pairs at a time, in float64.</summary>
internal static unsafe class PairPass
{
    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static PairResult Run(PairCall call, bool rewards) =>
        TensorFacts.Type(call.Chosen) == ScalarType.Float32 ? Run<float>(call, rewards) : Run<double>(call, rewards);

    private static PairResult Run<T>(PairCall call, bool wantsRewards)
        where T : unmanaged
    {
        long pairs = TensorFacts.Size(call.Chosen, 0);
        Tensor losses = TensorMemory.Fresh(call.Chosen),
            chosenGradient = TensorMemory.Fresh(call.Chosen),
            rejectedGradient = TensorMemory.Fresh(call.Chosen);
        (Tensor Chosen, Tensor Rejected, Tensor Margins)? rewards = wantsRewards
            ? (TensorMemory.Fresh(call.Chosen), TensorMemory.Fresh(call.Chosen), TensorMemory.Fresh(call.Chosen))
            : null;
        using var chosen = new NumberSource<T>(call.Chosen);
        using var rejected = new NumberSource<T>(call.Rejected);
        using var chosenAnchor = new NumberSource<T>(call.ChosenAnchor);
        using var rejectedAnchor = new NumberSource<T>(call.RejectedAnchor);
        using var factors = new NumberSource<T>(call.Weights);
        bool lengths = call.NeedsChosenLengths,
            bothLengths = call.NeedsRejectedLengths;
        using var chosenLengths = new NumberSource<T>(lengths ? call.ChosenLengths : null);
        using var rejectedLengths = new NumberSource<T>(bothLengths ? call.RejectedLengths : null);
        T* l = TensorMemory.Address<T>(losses),
            cg = TensorMemory.Address<T>(chosenGradient),
            rg = TensorMemory.Address<T>(rejectedGradient),
            cr = wantsRewards ? TensorMemory.Address<T>(rewards!.Value.Chosen) : null,
            rr = wantsRewards ? TensorMemory.Address<T>(rewards!.Value.Rejected) : null,
            mr = wantsRewards ? TensorMemory.Address<T>(rewards!.Value.Margins) : null;

        double total = 0;
        if (lengths && call.MeanChosenLength is null)
            for (long i = 0; i < pairs; i++)
                total += Scalars.Get(chosenLengths.Pointer + i);
        V beta = Vector256.Create(call.Beta),
            share = Vector256.Create(call.MeanChosenLength is { } mean ? 1 / mean : pairs / Math.Max(total, 1)),
            penalty = Vector256.Create(call.PositivePenalty),
            rewardFactor = Vector256.Create(call.RewardFactor),
            scale = Vector256.Create(1 / call.Divisor);
        V sum = V.Zero,
            chosenSum = V.Zero,
            rejectedSum = V.Zero,
            right = V.Zero;
        var lanes = new PairLanes { Beta = beta, TokenShare = share };
        bool isLinked = call.Link is not RatioScore,
            isAnchored = call.ChosenAnchor is not null,
            isWeighted = call.Weights is not null;
        for (long i = 0; i < pairs; i += Lanes.Count)
        {
            long count = pairs - i;
            V w = Lanes.Load(chosen.Pointer + i, count),
                r = Lanes.Load(rejected.Pointer + i, count);
            V wRatio = w,
                rRatio = r;
            if (isAnchored)
            {
                wRatio -= Lanes.Load(chosenAnchor.Pointer + i, count);
                rRatio -= Lanes.Load(rejectedAnchor.Pointer + i, count);
            }
            lanes.ChosenLogProbs = w;
            lanes.Loss = lanes.ChosenSlope = lanes.RejectedSlope = lanes.ChosenDirect = lanes.RejectedDirect = V.Zero;
            if (lengths)
                lanes.ChosenLengths = Vector256.Max(Lanes.Load(chosenLengths.Pointer + i, count), V.One);
            if (bothLengths)
                lanes.RejectedLengths = Vector256.Max(Lanes.Load(rejectedLengths.Pointer + i, count), V.One);
            if (call.NormalizesFirst)
                (wRatio, rRatio) = (wRatio / lanes.ChosenLengths, rRatio / lanes.RejectedLengths);
            (lanes.ChosenRatios, lanes.RejectedRatios) = call.ReferenceFree ? (w, r) : (wRatio, rRatio);
            var (wSlope, rSlope) = (V.One, V.One);
            (lanes.Chosen, lanes.Rejected) = (lanes.ChosenRatios, lanes.RejectedRatios);
            if (isLinked)
            {
                call.Link.Of(lanes.ChosenRatios, out lanes.Chosen, out wSlope);
                call.Link.Of(lanes.RejectedRatios, out lanes.Rejected, out rSlope);
            }
            if (call.NormalizesFirst)
                (wSlope, rSlope) = (wSlope / lanes.ChosenLengths, rSlope / lanes.RejectedLengths);

            var wReward = (call.RewardsAreScores ? lanes.Chosen : wRatio) * rewardFactor;
            var rReward = (call.RewardsAreScores ? lanes.Rejected : rRatio) * rewardFactor;
            var inside = Lanes.First(count);
            chosenSum += Lanes.Where(inside, wReward);
            rejectedSum += Lanes.Where(inside, rReward);
            right += Lanes.Where(inside & Vector256.GreaterThan(wReward, rReward), V.One);

            if (call.PositivePenalty > 0)
            {
                var below = Vector256.LessThan(lanes.ChosenRatios, V.Zero);
                lanes.Chosen += Lanes.Where(below, penalty * lanes.ChosenRatios);
                wSlope += Lanes.Where(below, penalty);
            }
            call.Form.Add(ref lanes, 1);

            V factor = !isWeighted ? V.One : Lanes.Load(factors.Pointer + i, count),
                loss = lanes.Loss * factor;
            sum += Lanes.Where(inside, loss);
            factor *= scale;
            Lanes.Store(l + i, loss, count);
            Lanes.Store(cg + i, (lanes.ChosenSlope * wSlope + lanes.ChosenDirect) * factor, count);
            Lanes.Store(rg + i, (lanes.RejectedSlope * rSlope + lanes.RejectedDirect) * factor, count);
            if (!wantsRewards)
                continue;
            Lanes.Store(cr + i, wReward, count);
            Lanes.Store(rr + i, rReward, count);
            Lanes.Store(mr + i, wReward - rReward, count);
        }
        double each = Math.Max(pairs, 1);
        return new PairResult(
            Vector256.Sum(sum) / call.Divisor,
            losses,
            chosenGradient,
            rejectedGradient,
            Vector256.Sum(right) / each,
            Vector256.Sum(chosenSum) / each,
            Vector256.Sum(rejectedSum) / each
        )
        {
            Rewards = rewards,
        };
    }
}
