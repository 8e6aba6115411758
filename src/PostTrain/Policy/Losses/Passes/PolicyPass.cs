using System.Numerics;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy.Losses.Surrogates;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>The loop of the policy kernels over rows of tokens.</summary>
internal static unsafe class PolicyPass
{
    /// <summary>True if a surrogate has a closed form here.</summary>
    internal static bool Takes(PolicySurrogate surrogate) =>
        surrogate
            is ClipSurrogate
                or RatioSurrogate
                or PolicyGradientSurrogate
                or CispoSurrogate
                or DppoSurrogate
                or SapoSurrogate
                or DroSurrogate;

    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static PolicyResult Run(PolicyCall call, PolicySurrogate surrogate) =>
        call.LogProbs.dtype == ScalarType.Float32 ? Run<float>(call, surrogate) : Run<double>(call, surrogate);

    private static PolicyResult Run<T>(PolicyCall call, PolicySurrogate surrogate)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        surrogate switch
        {
            ClipSurrogate { Cap: { } cap } clip => Run<T, CappedClipForm<T>>(call, new(clip.Range, cap)),
            ClipSurrogate clip => Run<T, ClipForm<T>>(call, new(clip.Range)),
            RatioSurrogate => Run<T, RatioForm<T>>(call, default),
            PolicyGradientSurrogate => Run<T, LogProbForm<T>>(call, default),
            CispoSurrogate cispo => Run<T, WeightedForm<T>>(call, new(cispo.Least, cispo.Most)),
            DppoSurrogate { Kl: true } dppo => Run<T, DppoKlForm<T>>(call, new(dppo.Range, dppo.Cap)),
            DppoSurrogate dppo => Run<T, DppoTvForm<T>>(call, new(dppo.Range, dppo.Cap)),
            SapoSurrogate sapo => Run<T, SapoForm<T>>(call, new(sapo.Positive, sapo.Negative)),
            DroSurrogate dro => Run<T, DroForm<T>>(call, new(dro.Beta)),
            _ => throw new NotSupportedException($"{surrogate} has no kernel; PolicyObjective.Loss has it"),
        };

    private static PolicyResult Run<T, TForm>(PolicyCall call, TForm form)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TForm : struct, ISurrogateForm<T>
    {
        Tensor losses = TensorMemory.Fresh(call.LogProbs),
            gradient = TensorMemory.Fresh(call.LogProbs);
        using var logProbs = new NumberSource<T>(call.LogProbs);
        using var oldLogProbs = new NumberSource<T>(call.OldLogProbs);
        using var reference = new NumberSource<T>(call.Reference);
        using var mask = new MaskSource<T>(call.Mask);
        using var advantages = new NumberSource<T>(call.Advantages);
        using var weights = new NumberSource<T>(call.Weights);
        using var corrections = new NumberSource<T>(call.ImportanceWeights);
        var memory = new PolicyMemory<T>
        {
            LogProbs = logProbs.Pointer,
            OldLogProbs = oldLogProbs.Pointer,
            Reference = reference.Pointer,
            Losses = TensorMemory.Address<T>(losses),
            Gradient = TensorMemory.Address<T>(gradient),
            Mask = mask.Pointer,
            Advantages = new(advantages.Pointer, call.Advantages.dim() == 1),
            Weights = new(weights.Pointer, call.Weights?.dim() == 1),
            Corrections = new(corrections.Pointer, call.ImportanceWeights?.dim() == 1),
            Columns = call.LogProbs.size(1),
            TokenWeights = TokenWeights.Of(call.Aggregation, call.Denominator, call.Mask, mask.Pointer),
        };
        var rows = new PolicySums[call.LogProbs.size(0)];
        Workers.Run(rows.Length, call.LogProbs.numel(), row => rows[row] = PolicyRow<T, TForm>.Run(call, form, in memory, row));

        var total = default(PolicySums);
        foreach (var sums in rows)
        {
            total.Loss += sums.Loss;
            total.Cut += sums.Cut;
            total.OldKl += sums.OldKl;
            total.Kl += sums.Kl;
            total.Count += sums.Count;
        }
        double counted = Math.Max(total.Count, 1);
        return new PolicyResult(
            total.Loss / memory.TokenWeights.Divisor,
            losses,
            gradient,
            total.Cut / counted,
            total.OldKl / counted,
            total.Kl / counted
        );
    }
}
