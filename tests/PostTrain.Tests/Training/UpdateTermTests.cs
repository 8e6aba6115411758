using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>What modules and options add to an update.</summary>
public sealed class UpdateTermTests
{
    private static readonly SftOptions Plain = new()
    {
        Steps = 4,
        LearningRate = 0.1,
        MaxGradNorm = double.PositiveInfinity,
        Optimizer = OptimizerChoice.Sgd(0),
    };

    // The loss 3 w has the gradient 3; the penalty w² at w = 2 has 4: one step of 0.1 gives 2 − 0.7, whatever the number of parts.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Penalty_IsAddedOnceInAnUpdate(int parts)
    {
        using var model = One(2);
        var moments = new List<UpdateMoment>();
        var seen = new List<double>();
        var term = UpdateTerm.Of(
            "square",
            () => model.weight!.square().sum(),
            moment =>
            {
                moments.Add(moment);
                seen.Add(model.weight!.grad!.ToDouble());
            }
        );
        using var optimization = new Optimization(model, Plain with { Terms = [term] }, updatesPerStep: 2);
        var report = optimization.Update(parts, _ => model.weight!.sum() * (3.0 / parts));
        Assert.Equal(6, report.Loss, 1e-6);
        Assert.Equal(4, report.Penalties["square"], 1e-6);
        Assert.Equal(7, report.GradNorm, 1e-6);
        Assert.Equal(1.3, model.weight!.ToDouble(), 1e-6);
        Assert.Equal([new UpdateMoment(1, 8, 0.1)], moments);
        Assert.Equal([7.0], seen);
        optimization.Update(1, _ => model.weight!.sum());
        Assert.Equal(2, moments[^1].Update);
    }

    [Fact]
    public void Penalty_ThatIsNotFinite_ChangesNothing()
    {
        using var model = One(2);
        using var optimization = new Optimization(
            model,
            Plain with
            {
                Terms = [UpdateTerm.Of("broken", () => model.weight!.sum() * double.NaN)],
            }
        );
        var error = Assert.Throws<InvalidOperationException>(() => optimization.Update(1, _ => model.weight!.sum()));
        Assert.Contains("the penalty broken NaN", error.Message, StringComparison.Ordinal);
        Assert.Equal((2.0, 0), (model.weight!.ToDouble(), optimization.Updates));
    }

    [Fact]
    public void Penalty_WithoutAGradientOrOfManyNumbers_IsRefusedByName()
    {
        using var model = One(2);
        foreach (var wrong in new Func<Tensor>[] { () => ones(1), () => model.weight!.expand(2, 2) })
        {
            using var optimization = new Optimization(model, Plain with { Terms = [UpdateTerm.Of("mine", wrong)] });
            var error = Assert.Throws<InvalidOperationException>(() => optimization.Update(1, _ => model.weight!.sum()));
            Assert.Contains("'mine'", error.Message, StringComparison.Ordinal);
        }
        Assert.Throws<ArgumentException>(() => UpdateTerm.Of("nothing"));
        Assert.Throws<ArgumentException>(() => UpdateTerm.Of("", () => ones(1)));
    }

    // A module in the tree brings its terms; one that is listed under two names brings them once.
    [Fact]
    public void Modules_BringTheirTerms_Once()
    {
        using var shared = new Counting();
        using var model = new Pair(shared);
        using var optimization = new Optimization(model, Plain);
        optimization.Update(1, _ => shared.Weight.sum());
        Assert.Equal((1, 4L), (shared.Calls, shared.Begun));
    }

    // P = γ ‖AAᵀ − I‖ / 2 per layer has the gradient γ (AAᵀ − I) A / ‖AAᵀ − I‖ in A; the mean is over the two layers.
    [Fact]
    public void AdaLora_PenaltysGradient_IsTheClosedForm()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var adapted = AdaptedModel.Attach(
            model,
            new AdaLoraOptions
            {
                Targets = ["q_proj", "v_proj"],
                InitialRank = 3,
                TargetRank = 3,
                OrthogonalityWeight = 0.6,
            }
        );
        using var optimization = new Optimization(model, Plain);
        using var scope = NewDisposeScope();
        var before = adapted.TrainableParameters.Where(item => item.Name.EndsWith("lora_A", StringComparison.Ordinal)).ToArray();
        var expected = before
            .Select(item =>
            {
                var a = item.Parameter.detach();
                var rest = a.mm(a.t()) - eye(3, dtype: ScalarType.Float64);
                return a - rest.mm(a) / rest.norm() * (0.6 / 2 * 0.1);
            })
            .ToArray();
        optimization.Update(
            1,
            _ =>
                model
                    .call(
                        tensor(
                            new long[,]
                            {
                                { 1, 2, 3 },
                            }
                        )
                    )
                    .sum() * 0
        );
        Assert.Equal(2, before.Length);
        foreach (var (item, value) in before.Zip(expected))
            Assert.True((item.Parameter.detach() - value).abs().max().ToDouble() < 1e-12, item.Name);
    }

    // 4 layers of rank 5 to a mean of 2 over 12 updates: after update u, warm-up 2, last 3: (20 − 8)(1 − (u − 2)/7)³ + 8, cut off.
    [Fact]
    public void AdaLora_InATrainer_FollowsItsBudget()
    {
        using var model = Toy.Model();
        var options = new AdaLoraOptions
        {
            Targets = ["q_proj", "k_proj", "v_proj", "o_proj"],
            InitialRank = 5,
            TargetRank = 2,
            WarmupSteps = 2,
            FinalSteps = 3,
        };
        using var adapted = AdaptedModel.Attach(model, options);
        var allocator = new AdaLoraAllocator(options, [.. Pieces(adapted)], total: 12);
        var kept = new List<int>();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 12,
                BatchSize = 2,
                LearningRate = 1e-2,
            }
        );
        foreach (var report in trainer.Run([new Demonstration("0=", "ab"), new Demonstration("1+1=", "ba")]))
        {
            kept.Add(allocator.Kept);
            Assert.True(report.Metrics["penalty/orthogonality"] > 0);
        }
        // 20 20 | 12·(6/7)³ + 8 = 15.55, 12·(5/7)³ + 8 = 12.37, 10.23, 8.94, 8.27, 8.03, 8 | 8 8 8
        Assert.Equal([20, 20, 15, 12, 10, 8, 8, 8, 8, 8, 8, 8], kept);
        Assert.Equal(12, Pieces(adapted).Sum(piece => Numbers.Values(piece.get_parameter("lora_E")!).Count(value => value == 0)));
    }

    [Fact]
    public void AdaLora_WithASchedulePastTheRun_IsRefusedBeforeTheFirstStep()
    {
        using var model = Toy.Model();
        using var adapted = AdaptedModel.Attach(
            model,
            new AdaLoraOptions
            {
                Targets = ["q_proj"],
                WarmupSteps = 3,
                FinalSteps = 2,
            }
        );
        var error = Assert.Throws<ArgumentException>(() => new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 5 }));
        Assert.Contains("the run has 5 updates", error.Message, StringComparison.Ordinal);
    }

    // An adapter of one's own with a penalty that holds its rows at 1, and a count of the updates; switched off, it has neither.
    [Fact]
    public void OwnAdapter_TakesPartInItsUpdates()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        int updates = 0;
        var rows = AdapterOptions.Of(
            "ROW_SCALE",
            (layer, _) => [("scale", zeros(layer.Outputs))],
            (layer, own) => own[0].unsqueeze(1) * layer.Weight
        ) with
        {
            Targets = ["q_proj"],
            Term = layers => UpdateTerm.Of("away from one", () => (layers.Single()["scale"] - 1).square().sum() / 2, _ => updates++),
        };
        using var adapted = AdaptedModel.Attach(model, rows);
        using (var optimization = new Optimization(model, Plain))
        {
            using var scope = NewDisposeScope();
            var report = optimization.Update(
                1,
                _ =>
                    model
                        .call(
                            tensor(
                                new long[,]
                                {
                                    { 1, 2, 3 },
                                }
                            )
                        )
                        .sum() * 0
            );
            Assert.Equal(8, report.Penalties["away from one"], 1e-12);
            // The gradient is −1 in each row.
            Assert.All(Numbers.Values(adapted.TrainableParameters.Single().Parameter), value => Assert.Equal(0.1, value, 1e-12));
        }
        adapted.Add("other", new LoraOptions { Targets = ["q_proj"], Rank = 2 });
        adapted.Activate("other");
        using (var optimization = new Optimization(model, Plain))
            optimization.Update(
                1,
                _ =>
                    model
                        .call(
                            tensor(
                                new long[,]
                                {
                                    { 1, 2, 3 },
                                }
                            )
                        )
                        .sum()
            );
        Assert.Equal(1, updates);
    }

    private static IEnumerable<PostTrain.Adapters.Layers.AdaLoraLinear> Pieces(AdaptedModel adapted) =>
        adapted.Pieces("default").OfType<PostTrain.Adapters.Layers.AdaLoraLinear>();

    private static Linear One(double weight)
    {
        var model = nn.Linear(1, 1, hasBias: false);
        using var mode = no_grad();
        model.weight!.fill_(weight);
        return model;
    }

    private sealed class Counting : nn.Module, IUpdateTermSource
    {
        private readonly IUpdateTerm term;

        internal Counting()
            : base(nameof(Counting))
        {
            register_parameter("weight", Weight);
            term = new Term(this);
        }

        internal Parameter Weight { get; } = new(ones(1));

        internal int Calls { get; private set; }

        internal long Begun { get; private set; }

        public IReadOnlyList<IUpdateTerm> UpdateTerms => [term];

        private sealed class Term(Counting owner) : IUpdateTerm
        {
            public string Name => "counting";

            public void Begin(long updates) => owner.Begun = updates;

            public void AfterUpdate(UpdateMoment moment) => owner.Calls++;
        }
    }

    private sealed class Pair : nn.Module
    {
        internal Pair(Counting shared)
            : base(nameof(Pair))
        {
            register_module("first", shared);
            register_module("second", shared);
        }
    }
}
