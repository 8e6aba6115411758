using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

/// <summary>Adapters made of others, by what they do to a layer: at density 1 and full rank every rule has a closed form in the changes ΔW
/// = s·BA.</summary>
public sealed class CombinationTests
{
    private const int Inputs = 6;
    private const int Outputs = 5;

    private static readonly LoraOptions[] Shapes =
    [
        new()
        {
            Targets = ["layer"],
            Rank = 2,
            Alpha = 4,
        },
        new()
        {
            Targets = ["layer"],
            Rank = 4,
            Alpha = 16,
        },
        new()
        {
            Targets = ["layer"],
            Rank = 4,
            Alpha = 6,
            RankStabilized = true,
        },
        new()
        {
            Targets = ["layer"],
            Rank = 3,
            Alpha = 1,
        },
        new()
        {
            Targets = ["layer"],
            Rank = 1,
            Alpha = 2,
            RankPattern = new Dictionary<string, int> { ["layer"] = 3 },
            AlphaPattern = new Dictionary<string, double> { ["layer"] = 12 },
        },
    ];

    private static readonly CombinationKind[] OfChanges =
    [
        CombinationKind.Svd,
        CombinationKind.TiesSvd,
        CombinationKind.DareLinearSvd,
        CombinationKind.DareTiesSvd,
        CombinationKind.MagnitudePruneSvd,
    ];

    public static TheoryData<CombinationKind, int> KindsAndShapes()
    {
        var data = new TheoryData<CombinationKind, int>();
        foreach (var kind in Enum.GetValues<CombinationKind>())
            for (var shape = 0; shape < Shapes.Length; shape++)
                data.Add(kind, shape);
        return data;
    }

    [Theory]
    [MemberData(nameof(KindsAndShapes))]
    public void OneAdapterOfWeightOne_GivesItsOwnChange(CombinationKind kind, int shape)
    {
        using var scope = NewDisposeScope();
        var (adapted, changes) = With(Shapes[shape]);
        using (adapted)
        {
            adapted.Combine("one", [("a0", 1)], new CombinationOptions { Kind = kind });
            TensorAssert.Close(changes[0], Acting(adapted, "one"), 1e-12, $"{kind} of {Shapes[shape]}");
            adapted.Combine("half", [("a0", -0.5)], new CombinationOptions { Kind = kind });
            TensorAssert.Close(changes[0] * -0.5, Acting(adapted, "half"), 1e-12, "weight −1/2");
        }
    }

    [Theory]
    [InlineData(CombinationKind.Concatenation)]
    [InlineData(CombinationKind.Svd)]
    [InlineData(CombinationKind.DareLinearSvd)]
    [InlineData(CombinationKind.MagnitudePruneSvd)]
    public void AdaptersOfSeveralRanksAndScales_GiveTheWeightedSum(CombinationKind kind)
    {
        using var scope = NewDisposeScope();
        var (adapted, changes) = With(Shapes);
        using (adapted)
        {
            double[] weights = [0.5, -1.5, 1, 2, 0.25];
            adapted.Combine(
                "all",
                [.. weights.Select((weight, i) => ($"a{i}", weight))],
                new CombinationOptions { Kind = kind, Rank = Outputs }
            );
            TensorAssert.Close(
                changes.Zip(weights, (change, weight) => change * weight).Aggregate((a, b) => a + b),
                Acting(adapted, "all"),
                1e-12
            );
        }
    }

    // Entry by entry: the sign of the sum is elected, and the weighted entries of that sign are averaged.
    [Theory]
    [InlineData(CombinationKind.TiesSvd)]
    [InlineData(CombinationKind.DareTiesSvd)]
    public void Ties_OfSeveralRanksAndScales_AveragesTheAgreeingEntries(CombinationKind kind)
    {
        using var scope = NewDisposeScope();
        var (adapted, changes) = With(Shapes[0], Shapes[1], Shapes[2]);
        using (adapted)
        {
            double[] weights = [0.5, 1, 2];
            adapted.Combine(
                "all",
                [.. weights.Select((weight, i) => ($"a{i}", weight))],
                new CombinationOptions { Kind = kind, Rank = Outputs }
            );
            double[][] values = [.. changes.Select(Numbers.Values)];
            double[] expected =
            [
                .. Enumerable
                    .Range(0, values[0].Length)
                    .Select(at =>
                    {
                        int[] agreeing =
                        [
                            .. Enumerable.Range(0, 3).Where(i => values[i][at] >= 0 == values.Sum(change => change[at]) >= 0),
                        ];
                        return agreeing.Average(i => weights[i] * values[i][at]);
                    }),
            ];
            TensorAssert.Close(expected, Acting(adapted, "all"), 1e-12);
        }
    }

    // What is left at a rank is what the largest singular values make (Eckart, Young 1936).
    [Fact]
    public void Svd_AtALowerRank_IsTheBestApproximationOfTheSum()
    {
        using var scope = NewDisposeScope();
        var (adapted, changes) = With(Shapes[0], Shapes[1]);
        using (adapted)
        {
            var (u, s, vh) = linalg.svd(changes[0] + changes[1] * 3, false);
            adapted.Combine("all", [("a0", 1), ("a1", 3)], new CombinationOptions { Kind = CombinationKind.Svd, Rank = 2 });
            TensorAssert.Close((u.narrow(1, 0, 2) * s.narrow(0, 0, 2)).matmul(vh.narrow(0, 0, 2)), Acting(adapted, "all"), 1e-12);
        }
    }

    [Fact]
    public void EmbeddingAndGpt2Layers_CombineByEveryRuleToTheirOwnLogits()
    {
        using var scope = NewDisposeScope();
        foreach (var (name, targets) in new[] { ("llama", new[] { "embed_tokens", "q_proj" }), ("gpt2", ["c_attn", "wte"]) })
        {
            using var model = Models.TinyModels.Create(name, ScalarType.Float64);
            using var adapted = AdaptedModel.Attach(
                model,
                new LoraOptions
                {
                    Targets = ModuleSelection.Named(targets),
                    Rank = 2,
                    Alpha = 8,
                },
                "a0"
            );
            AdapterModels.Randomize(adapted);
            var expected = AdapterModels.Logits(model, AdapterModels.Ids());
            foreach (var kind in Enum.GetValues<CombinationKind>())
            {
                adapted.Combine($"{kind}", [("a0", 1)], new CombinationOptions { Kind = kind });
                adapted.Activate($"{kind}");
                TensorAssert.Close(expected, AdapterModels.Logits(model, AdapterModels.Ids()), 1e-11, $"{name} {kind}");
            }
        }
    }

    [Fact]
    public void KindsWithADecomposition_AreAllTested() =>
        Assert.Equal(
            Enum.GetValues<CombinationKind>().Where(kind => $"{kind}".EndsWith("Svd", StringComparison.Ordinal)),
            OfChanges.Order()
        );

    // Adapters a0, a1, ... with random factors, and their changes by the formula.
    private static (AdaptedModel Adapted, Tensor[] Changes) With(params LoraOptions[] options)
    {
        var model = nn.Sequential(("layer", nn.Linear(Inputs, Outputs, hasBias: false, dtype: ScalarType.Float64)));
        var adapted = AdaptedModel.Attach(model, options[0], "a0");
        for (var i = 1; i < options.Length; i++)
            adapted.Add($"a{i}", options[i]);
        var changes = new Tensor[options.Length];
        using var mode = no_grad();
        for (var i = 0; i < options.Length; i++)
        {
            var lora = (LoraLinear)adapted.Pieces($"a{i}")[0];
            lora.A.copy_(Numbers.Uniform(7 + i, 1, lora.A.shape));
            lora.B.copy_(Numbers.Uniform(70 + i, 1, lora.B.shape));
            var (rank, alpha) = options[i].RankPattern.Count > 0 ? (3, 12.0) : (options[i].Rank, options[i].Alpha);
            Assert.Equal(rank, lora.A.size(0));
            changes[i] = lora.B.mm(lora.A) * (alpha / (options[i].RankStabilized ? Math.Sqrt(rank) : rank));
        }

        return (adapted, changes);
    }

    // The change of the layer's weight that the model itself shows.
    private static Tensor Acting(AdaptedModel adapted, string name)
    {
        using var mode = no_grad();
        var model = (nn.Module<Tensor, Tensor>)adapted.Root;
        var identity = eye(Inputs, dtype: ScalarType.Float64);
        adapted.Activate(name);
        var with = model.call(identity);
        using (adapted.Disabled())
            return (with - model.call(identity)).t();
    }
}
