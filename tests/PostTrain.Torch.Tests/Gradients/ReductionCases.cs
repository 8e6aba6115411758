using TorchSharp;
using static PostTrain.Torch.Tests.Gradients.Domain;
using static PostTrain.Torch.Tests.Gradients.GradientCase;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Sums, extremes, spreads, running sums and sorting.</summary>
internal static class ReductionCases
{
    internal static IEnumerable<GradientCase> All =>
    [
        Of("sum", Real(2, 3), x => x.sum()),
        Of("sum dim", Real(2, 3), x => x.sum(1)),
        Of("mean", Real(2, 3), x => x.mean()),
        Of("mean dim", Real(2, 3), x => x.mean([0], true)),
        Of("nansum", Real(2, 3), x => x.nansum()),
        Of("nanmean", Real(2, 3), x => x.nanmean(1)),
        Of("prod", Real(2, 3), x => x.prod()),
        Of("prod dim", Real(2, 3), x => x.prod(1)),
        Of("logsumexp", Real(2, 3), x => x.logsumexp(1)),
        Of("max", Real(2, 3), x => x.max()),
        Of("max dim", Real(2, 3), x => x.max(1).values),
        Of("min", Real(2, 3), x => x.min()),
        Of("min dim", Real(2, 3), x => x.min(1).values),
        Of("amax", Real(2, 3), x => x.amax(1)),
        Of("amin", Real(2, 3), x => x.amin(0, 1)),
        Of("aminmax", Real(2, 3), x => x.aminmax(1) is var (low, high) ? Joined(low, high) : x),
        Of("cumsum", Real(2, 3), x => x.cumsum(1)),
        Of("cumprod", Real(2, 3), x => x.cumprod(1)),
        Of("cummax", Real(2, 3), x => x.cummax(1).values),
        Of("cummin", Real(2, 3), x => x.cummin(1).values),
        Of("logcumsumexp", Real(2, 3), x => x.logcumsumexp(1)),
        Of("median", Real(5), x => x.median()),
        Of("nanmedian", Real(5), x => x.nanmedian()),
        Of("quantile", Real(5), x => x.quantile(tensor(new[] { 0.3, 0.8 }))),
        Of("nanquantile", Real(5), x => x.nanquantile(tensor(new[] { 0.3, 0.8 }))),
        Of("mode", Real(2, 3), x => x.mode().values),
        Of("norm", Real(2, 3), x => x.norm()),
        Of("norm 3", Real(2, 3), x => x.norm(1, p: 3)),
        Of("diff", Real(2, 4), x => x.diff()),
        Of("trapezoid dx", Real(2, 4), x => x.trapezoid(0.5)),
        Of("trapezoid x", Real(4), Real(4), (y, x) => y.trapezoid(x)),
        Of("cumulative_trapezoid dx", Real(2, 4), x => x.cumulative_trapezoid(0.5)),
        Of("cumulative_trapezoid x", Real(4), Real(4), (y, x) => y.cumulative_trapezoid(x)),
        Of("softmax", Real(2, 3), x => x.softmax(1)),
        Of("log_softmax", Real(2, 3), x => x.log_softmax(1)),
        Of("var", Real(2, 3), x => x.var()),
        Of("var dim", Real(2, 3), x => x.var(1, unbiased: false)),
        Of("std", Real(2, 3), x => x.std()),
        Of("std dim", Real(2, 3), x => x.std(1)),
        Of("var_mean", Real(2, 3), x => x.var_mean() is var (var, mean) ? Joined(var, mean) : x),
        Of("var_mean dim", Real(2, 3), x => x.var_mean(1) is var (var, mean) ? Joined(var, mean) : x),
        Of("std_mean", Real(2, 3), x => x.std_mean() is var (std, mean) ? Joined(std, mean) : x),
        Of("std_mean dim", Real(2, 3), x => x.std_mean(1) is var (std, mean) ? Joined(std, mean) : x),
        Of("cov", Real(2, 4), x => x.cov()),
        Of("corrcoef", Real(2, 4), x => x.corrcoef()),
        Of("sort", Real(2, 4), x => x.sort(1, descending: true, stable: true).Values),
        Of("msort", Real(4, 2), x => x.msort()),
        Of("topk", Real(2, 4), x => x.topk(2).values),
        Of("kthvalue", Real(2, 4), x => x.kthvalue(2, 1).values),
    ];
}
