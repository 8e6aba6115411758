using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>merge.json: LoRA adapters combined into one, and the functions on task vectors under them.</summary>
internal static class MergeGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind> { ["add_weighted_adapter"] = new(Combine), ["merge_functions"] = new(Functions) };

    private static void Combine(GoldenCase item)
    {
        var (ranks, alphas, weights) = (item.Numbers("r"), item.Numbers("lora_alpha"), item.Numbers("weights"));
        var names = Enumerable.Range(0, 1000).Select(i => $"lin{i}").TakeWhile(name => item.HasInput($"{name}.a0.lora_A")).ToArray();
        using var model = nn.Sequential([
            .. names.Select(name =>
                (
                    name,
                    (nn.Module<Tensor, Tensor>)nn.Linear(item.Input($"{name}.a0.lora_A").size(1), item.Input($"{name}.a0.lora_B").size(0))
                )
            ),
        ]);
        LoraOptions Options(int i) =>
            new()
            {
                Targets = ModuleSelection.Named(names),
                Rank = (int)ranks[i],
                Alpha = alphas[i],
            };
        using var adapted = AdaptedModel.Attach(model, Options(0), "a0");
        using var mode = no_grad();
        for (var i = 0; i < ranks.Length; i++)
        {
            if (i > 0)
                adapted.Add($"a{i}", Options(i));
            foreach (var piece in adapted.Pieces($"a{i}").Cast<LoraLinear>())
            {
                piece.A.copy_(item.Input($"{piece.Leaf.Name}.a{i}.lora_A"));
                piece.B.copy_(item.Input($"{piece.Leaf.Name}.a{i}.lora_B"));
            }
        }
        adapted.Combine(
            "all",
            [.. weights.Select((weight, i) => ($"a{i}", weight))],
            new CombinationOptions
            {
                Kind = Kind(item.Text("combination_type")!),
                Density = item.Parameter("density", 1),
                MajoritySign = Sign(item),
                Rank = item.HasParameter("svd_rank") ? (int)item.Parameter("svd_rank", 0) : null,
                Clamp = item.HasParameter("svd_clamp") ? item.Parameter("svd_clamp", 1) : null,
            }
        );
        foreach (var piece in adapted.Pieces("all").Cast<LoraLinear>())
        {
            var name = piece.Leaf.Name;
            Assert.Equal(item.ExpectedNumber($"{name}.scaling"), piece.Scale);
            Assert.Equal(item.ExpectedNumber($"{name}.r"), piece.A.size(0));
            GoldenTolerance.Close(item.Expected($"{name}.delta"), piece.Delta(), $"{name}.delta");
            // Of a decomposition only the product is fixed.
            if (!item.HasExpected($"{name}.lora_A"))
                continue;
            GoldenTolerance.Close(item.Expected($"{name}.lora_A"), piece.A, $"{name}.lora_A");
            GoldenTolerance.Close(item.Expected($"{name}.lora_B"), piece.B, $"{name}.lora_B");
        }
    }

    private static CombinationKind Kind(string name) =>
        name switch
        {
            "linear" => CombinationKind.Linear,
            "cat" => CombinationKind.Concatenation,
            "svd" => CombinationKind.Svd,
            "ties" => CombinationKind.Ties,
            "ties_svd" => CombinationKind.TiesSvd,
            "dare_linear" => CombinationKind.DareLinear,
            "dare_linear_svd" => CombinationKind.DareLinearSvd,
            "dare_ties" => CombinationKind.DareTies,
            "dare_ties_svd" => CombinationKind.DareTiesSvd,
            "magnitude_prune" => CombinationKind.MagnitudePrune,
            "magnitude_prune_svd" => CombinationKind.MagnitudePruneSvd,
            _ => throw new NotSupportedException($"combination '{name}'"),
        };

    private static MajoritySign Sign(GoldenCase item) =>
        item.Text("majority_sign_method") == "frequency" ? MajoritySign.Frequency : MajoritySign.Total;

    private static void Functions(GoldenCase item)
    {
        var density = item.Parameter("density", 1);
        var weights = item.Numbers("weights");
        var tensors = Enumerable.Range(0, weights.Length).Select(i => item.InputAt("tensors", i)).ToArray();
        var all = stack(tensors, 0);
        foreach (
            var (name, value) in new (string, Func<Tensor>)[]
            {
                ("task_arithmetic", () => TaskVectors.TaskArithmetic(tensors, weights)),
                ("magnitude_prune", () => TaskVectors.MagnitudePrune(tensors, weights, density)),
                ("ties", () => TaskVectors.Ties(tensors, weights, density)),
                ("ties_frequency", () => TaskVectors.Ties(tensors, weights, density, MajoritySign.Frequency)),
                ("dare_linear_density1", () => TaskVectors.DareLinear(tensors, weights, 1, 5)),
                ("dare_ties_density1", () => TaskVectors.DareTies(tensors, weights, 1, 5)),
                ("pruned_first", () => TaskVectors.PruneByMagnitude(tensors[0], density)),
                ("disjoint_merge", () => TaskVectors.DisjointMean(all, TaskVectors.MajoritySigns(all))),
            }
        )
            GoldenTolerance.Close(item.Expected(name), value(), name);
        TensorAssert.Same(item.Expected("majority_sign_total"), TaskVectors.MajoritySigns(all), "majority_sign_total");
        TensorAssert.Same(
            item.Expected("majority_sign_frequency"),
            TaskVectors.MajoritySigns(all, MajoritySign.Frequency),
            "majority_sign_frequency"
        );
    }
}
