using System.Text.Json;
using PostTrain.Adapters;
using PostTrain.Merging;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>mergekit.json: merging tensor by tensor as mergekit does it, and PEFT's functions on the same task vectors.</summary>
internal static class MergekitGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["linear"] = new(item => Merged(item, LinearMerge.Average(Tensors(item), item.Numbers("weights"), item.Flag("normalize")))),
            ["task_arithmetic"] = new(item => TaskVector(item, SparsificationKind.None, elects: false)),
            ["ties"] = new(item => TaskVector(item, SparsificationKind.Magnitude, elects: true)),
            ["dare_linear"] = new(item => TaskVector(item, SparsificationKind.Random, elects: false)),
            ["dare_ties"] = new(item => TaskVector(item, SparsificationKind.Random, elects: true)),
            ["della"] = new(item => TaskVector(item, SparsificationKind.RandomByRank, elects: true)),
            ["della_linear"] = new(item => TaskVector(item, SparsificationKind.RandomByRank, elects: false)),
            ["breadcrumbs"] = new(item => TaskVector(item, SparsificationKind.Outliers, elects: false)),
            ["breadcrumbs_ties"] = new(item => TaskVector(item, SparsificationKind.Outliers, elects: true)),
            ["sparsify"] = new(Sparsify),
            ["sign_consensus"] = new(Signs),
            ["slerp"] = new(item => Merged(item, SphericalMerge.Slerp(item.Input("base"), Tensors(item)[0], item.Parameter("t", 0)))),
            ["nuslerp"] = new(NuSlerp),
            ["multislerp"] = new(item =>
                Merged(
                    item,
                    SphericalMerge.MultiSlerp(
                        Tensors(item),
                        item.Numbers("weights"),
                        Base(item),
                        item.Flag("normalize_weights"),
                        item.Parameter("eps", 1e-8)
                    )
                )
            ),
            ["karcher"] = new(item =>
                Merged(item, SphericalMerge.Karcher(Tensors(item), (int)item.Parameter("max_iter", 10), item.Parameter("tol", 1e-5)))
            ),
            ["model_stock"] = new(item =>
                Merged(item, SelectiveMerge.ModelStock(item.Input("base"), Tensors(item), item.Flag("filter_wise")))
            ),
            ["nearswap"] = new(item => Merged(item, SelectiveMerge.NearSwap(item.Input("base"), Tensors(item)[0], item.Parameter("t", 0)))),
            ["sce"] = new(item =>
            {
                // The type of the peer's masks.
                item.Unneeded("int8_mask");
                Merged(item, SelectiveMerge.Sce(item.Input("base"), Tensors(item), item.Parameter("select_topk", 1)));
            }),
            ["sce_parts"] = new(SceParts),
            ["arcee_fusion"] = new(Fusion),
            ["ram"] = new(item => Merged(item, SelectiveMerge.Ram(item.Input("base"), Tensors(item), item.Parameter("epsilon", 1e-5)))),
            ["ramplus_tl"] = new(item =>
                // A factor is a float32 in the peer.
                Merged(
                    item,
                    SelectiveMerge.RamPlus(
                        item.Input("base"),
                        Tensors(item),
                        item.Parameter("r", 0.1),
                        item.Parameter("alpha", 0.2),
                        item.Parameter("epsilon", 1e-5)
                    ),
                    1e-7
                )
            ),
            ["layer_setting"] = new(Settings),
            ["peft_task_arithmetic"] = new(item => Peft(item, SparsificationKind.None, elects: false)),
            ["peft_magnitude_prune"] = new(item => Peft(item, SparsificationKind.Magnitude, elects: false)),
            ["peft_ties"] = new(item => Peft(item, SparsificationKind.Magnitude, elects: true)),
            ["peft_dare_linear"] = new(item => Peft(item, SparsificationKind.Random, elects: false)),
            ["peft_dare_ties"] = new(item => Peft(item, SparsificationKind.Random, elects: true)),
            ["peft_prune"] = new(item =>
                Pruned(item, item.Input("tensor"), TaskVectors.PruneByMagnitude(item.Input("tensor"), item.Parameter("density", 1)))
            ),
        };

    private static Tensor? Base(GoldenCase item) => item.HasInput("base") ? item.Input("base") : null;

    private static Tensor[] Tensors(GoldenCase item)
    {
        item.Inputs.Find("tensors");
        return item.Tensors("inputs", "tensors");
    }

    private static Tensor[] Masks(GoldenCase item)
    {
        item.Inputs.Find("masks");
        return item.HasInput("masks") ? item.Tensors("inputs", "masks") : [];
    }

    private static void Merged(GoldenCase item, Tensor actual, double? tolerance = null) =>
        TensorAssert.Close(item.Expected("merged"), actual, tolerance ?? GoldenTolerance.Of(actual.dtype), "merged");

    private static void TaskVector(GoldenCase item, SparsificationKind kind, bool elects)
    {
        item.Unneeded("int8_mask");
        var (origin, tensors, weights) = (item.Input("base"), Tensors(item), item.Numbers("weights"));
        var density = item.Numbers("density");
        var gamma = item.HasParameter("gamma") ? item.Numbers("gamma") : null;
        var epsilon = item.HasParameter("epsilon") ? item.Numbers("epsilon") : null;
        var masks = new Queue<Tensor>(Masks(item));
        var rescale = item.Flag("rescale");
        var deltas = new List<Tensor>();
        for (var i = 0; i < tensors.Length; i++)
        {
            var options = new SparsificationOptions
            {
                Kind = kind,
                Density = density[i],
                Gamma = gamma?[i] ?? 0.01,
                Epsilon = epsilon?[i] ?? 0.15,
                Rescale = rescale,
            };
            deltas.Add(Sparse(tensors[i] - origin, options, masks));
            if (epsilon is not null)
                GoldenTolerance.Close(
                    item.Tensors("expected", "keep_probability")[i],
                    Sparsification.KeepProbability(tensors[i] - origin, density[i], epsilon[i]),
                    "keep_probability"
                );
            if (item.HasExpected("sparsified"))
                GoldenTolerance.Close(item.Tensors("expected", "sparsified")[i], deltas[i], "sparsified");
        }

        Assert.Empty(masks);
        if (item.HasExpected("agrees"))
        {
            var weighted = stack([.. deltas.Zip(weights, (delta, weight) => delta * weight)], 0);
            TensorAssert.Same(item.Expected("agrees"), TaskVectors.MajoritySigns(weighted), "agrees");
        }

        MajoritySign? election = elects ? MajoritySign.Total : null;
        Merged(item, LinearMerge.Combine(origin, deltas, weights, election, item.Flag("normalize"), item.Parameter("lambda", 1)));
    }

    private static Tensor Sparse(Tensor delta, SparsificationOptions options, Queue<Tensor> masks)
    {
        if (options.Kind is not (SparsificationKind.Random or SparsificationKind.RandomByRank) || options.Density >= 1)
            return Sparsification.Sparsify(delta, options);
        var probabilities =
            options.Kind == SparsificationKind.Random
                ? full_like(delta, options.Density)
                : Sparsification.KeepProbability(delta, options.Density, options.Epsilon);
        return Sparsification.Masked(delta, masks.Dequeue(), probabilities, options);
    }

    private static void Peft(GoldenCase item, SparsificationKind kind, bool elects)
    {
        var (origin, tensors, weights) = (item.Input("base"), Tensors(item), item.Numbers("weights"));
        var masks = new Queue<Tensor>(Masks(item));
        var options = new SparsificationOptions
        {
            Kind = kind,
            Density = item.Parameter("density", 1),
            Rescale = true,
            Convention = Convention.Peft,
        };
        var deltas = tensors.Select(tensor => Sparse(tensor - origin, options, masks)).ToArray();
        Assert.Empty(masks);
        MajoritySign? election =
            !elects ? null
            : item.Text("majority_sign_method") == "frequency" ? MajoritySign.Frequency
            : MajoritySign.Total;
        var merged = LinearMerge.Combine(origin, deltas, weights, election, convention: Convention.Peft);
        Merged(item, merged);
        GoldenTolerance.Close(
            item.Expected("delta"),
            LinearMerge.Combine(zeros_like(origin), deltas, weights, election, convention: Convention.Peft),
            "delta"
        );
    }

    private static void Sparsify(GoldenCase item)
    {
        var delta = item.Input("tensor");
        var density = item.Parameter("density", 1);
        var norm = item.Text("rescale_norm") switch
        {
            null => RescaleNorm.None,
            "l1" => RescaleNorm.L1,
            "l2" => RescaleNorm.L2,
            "linf" => RescaleNorm.Max,
            var other => throw new NotSupportedException($"norm '{other}'"),
        };
        var method = item.Text("method");
        var probabilities = method switch
        {
            "random" => full_like(delta, density),
            "della_magprune" => Sparsification.KeepProbability(delta, density, item.Parameter("epsilon", 0.15)),
            _ => null,
        };
        if (probabilities is not null)
            GoldenTolerance.Close(item.Expected("keep_probability"), probabilities, "keep_probability");
        var mask = method switch
        {
            "magnitude" => Sparsification.MagnitudeMask(delta, density),
            "magnitude_outliers" => Sparsification.OutlierMask(delta, density, item.Parameter("gamma", 0.01)),
            _ => item.Input("mask"),
        };
        var result = Sparsification.Apply(delta, mask, norm);
        if (item.Id.EndsWith("tied-cut", StringComparison.Ordinal))
            Pruned(item, delta, result);
        else
            GoldenTolerance.Close(item.Expected("result"), result, "result");
    }

    // Of equal entries at the cut any may stay: as many as the peer kept, with the same magnitudes.
    private static void Pruned(GoldenCase item, Tensor before, Tensor after)
    {
        TensorAssert.Same(item.Expected("result").abs().sort().Values, after.abs().sort().Values, "kept magnitudes");
        Assert.All(Numbers.Values(before).Zip(Numbers.Values(after)), pair => Assert.True(pair.Second == 0 || pair.Second == pair.First));
    }

    private static void Signs(GoldenCase item)
    {
        var deltas = item.Input("deltas");
        var (sum, count) = (TaskVectors.MajoritySigns(deltas), TaskVectors.MajoritySigns(deltas, MajoritySign.Frequency));
        TensorAssert.Same(item.Expected("sum"), sum, "sum");
        TensorAssert.Same(item.Expected("count"), count, "count");
        TensorAssert.Same(item.Expected("peft_total"), sum, "peft_total");
        TensorAssert.Same(item.Expected("peft_frequency"), count, "peft_frequency");
    }

    private static void NuSlerp(GoldenCase item)
    {
        var tensors = Tensors(item);
        Merged(
            item,
            SphericalMerge.NuSlerp(
                tensors[0],
                tensors[1],
                item.Numbers("weights"),
                Base(item),
                item.Flag("nuslerp_flatten"),
                item.Flag("nuslerp_row_wise")
            ),
            1e-7
        );
    }

    private static void SceParts(GoldenCase item)
    {
        var deltas = item.Input("deltas");
        var mask = SelectiveMerge.SceMask(deltas, item.Parameter("select_topk", 1));
        TensorAssert.Same(item.Expected("mask"), mask, "mask");
        GoldenTolerance.Close(item.Expected("weights"), SelectiveMerge.SceWeights(deltas * mask), "weights");
    }

    private static void Fusion(GoldenCase item)
    {
        var (origin, other) = (item.Input("base"), Tensors(item)[0]);
        var importance = SelectiveMerge.FusionImportance(origin, other);
        GoldenTolerance.Close(item.Expected("importance"), importance, "importance");
        Assert.Equal(item.ExpectedNumber("threshold"), SelectiveMerge.FusionThreshold(importance), 1e-9);
        Merged(item, SelectiveMerge.ArceeFusion(origin, other));
    }

    private static void Settings(GoldenCase item)
    {
        var rows = item.Json("expected", "rows").EnumerateArray().ToArray();
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            var value = Setting(row.GetProperty("setting")).At(row.GetProperty("tensor").GetString()!, row.GetProperty("t").GetDouble());
            var expected = row.GetProperty("value");
            if (expected.ValueKind == JsonValueKind.Null)
                Assert.Null(value);
            else
                Assert.Equal(expected.GetDouble(), value!.Value, 1e-12);
        }
    }

    private static LayerSetting Setting(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Number => json.GetDouble(),
            JsonValueKind.Array when json.EnumerateArray().All(entry => entry.ValueKind == JsonValueKind.Number) => LayerSetting.Gradient([
                .. json.EnumerateArray().Select(entry => entry.GetDouble()),
            ]),
            _ => LayerSetting.ByName([
                .. json.EnumerateArray()
                    .Select(entry =>
                        (entry.TryGetProperty("filter", out var filter) ? filter.GetString() : null, Setting(entry.GetProperty("value")))
                    ),
            ]),
        };
}
