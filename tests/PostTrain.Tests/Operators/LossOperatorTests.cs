using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

/// <summary>Losses as trainers call them: in one pass over memory the same as by tensor operators, in all that they return, in gradients
/// through the loss and through the losses of the elements, and in second derivatives.</summary>
[Collection("Sequential")]
public sealed class LossOperatorTests
{
    // Inputs that a case takes: those with a gradient and the others.
    private sealed record Case(
        string Name,
        Func<Tensor[], (Tensor Loss, Tensor Losses, Tensor[] Diagnostics)> Run,
        Func<ScalarType, bool, Tensor[]> Inputs
    );

    public static TheoryData<string, ScalarType, bool> Names
    {
        get
        {
            var data = new TheoryData<string, ScalarType, bool>();
            foreach (var item in Cases.Values)
            foreach (var type in new[] { ScalarType.Float64, ScalarType.Float32 })
            foreach (bool strided in new[] { false, true })
                data.Add(item.Name, type, strided);
            return data;
        }
    }

    public static TheoryData<string> CaseNames => [.. Cases.Keys];

    private static readonly Dictionary<string, Case> Cases = new Case[]
    {
        Pairs("dpo", policy => PreferenceLosses.Dpo(policy, Reference(policy), new DpoObjective { Beta = 0.3 }, Weights(policy))),
        Pairs("ipo", policy => PreferenceLosses.Dpo(policy, Reference(policy), new DpoObjective { Loss = DpoLoss.Ipo() }, null, 17)),
        Pairs("mpo", policy => PreferenceLosses.Dpo(policy, Reference(policy), new DpoObjective { Loss = DpoLoss.Mpo() }, null, 9, 5.5)),
        Pairs(
            "forward kl, positive",
            policy =>
                PreferenceLosses.Dpo(
                    policy,
                    Reference(policy),
                    new DpoObjective { Divergence = FDivergence.ForwardKl, PositivePenalty = 3 }
                )
        ),
        Pairs("reference-free", policy => PreferenceLosses.Dpo(policy, Reference(policy), new DpoObjective { ReferenceFree = true })),
        Pairs("cpo", policy => PreferenceLosses.Cpo(policy, CpoObjective.Cpo())),
        Pairs("simpo", policy => PreferenceLosses.Cpo(policy, CpoObjective.Simpo(), 11)),
        Pairs("alphapo", policy => PreferenceLosses.Cpo(policy, CpoObjective.AlphaPo())),
        Pairs("ipo without a reference", policy => PreferenceLosses.Cpo(policy, CpoObjective.Cpo() with { Loss = MarginLoss.Ipo })),
        Pairs("orpo", policy => PreferenceLosses.Orpo(policy, 0.4)),
        Pairs("orpo with a likelihood", policy => PreferenceLosses.Orpo(policy, 0.4, policy.Chosen.sum() * -0.1, 6)),
        Pairs("xpo", policy => PreferenceLosses.Xpo(policy, Reference(policy)!, policy.Rejected * 2, 0.1)),
        Completions(
            "kto",
            (x, reference, good) => UnpairedLosses.Kto(x, reference, good, tensor(0.3).to_type(x.dtype), new KtoObjective { Beta = 0.4 })
        ),
        Completions(
            "weighted kto",
            (x, reference, good) => UnpairedLosses.Kto(x, reference, good, null, new() { UndesirableWeight = 2 }, 9)
        ),
        Completions("bco", (x, reference, good) => UnpairedLosses.Bco(x, reference, good, 0.2)),
        Completions("weighted bco", (x, reference, good) => UnpairedLosses.Bco(x, reference, good, 0.2, reference.abs(), 0.5, 7)),
        Rewards("bradley-terry", (w, r, _) => RewardModelLosses.BradleyTerry(w, r)),
        Rewards(
            "bradley-terry with margins",
            (w, r, p) =>
                RewardModelLosses.BradleyTerry(w, r, p, new BradleyTerryObjective { CenteringCoefficient = 0.1, LabelSmoothing = 0.2 }, 8)
        ),
        Rewards("soft labels", (w, r, p) => RewardModelLosses.SoftBradleyTerry(w, r, p, null, 0.02)),
        Rewards("soft labels with margins", (w, r, p) => RewardModelLosses.SoftBradleyTerry(w, r, p, p * 2, 0, 5)),
        Policy("grpo", PolicyObjectives.Grpo() with { Beta = 0.1 }),
        Policy("sequence ratio", PolicyObjectives.Gspo()),
        Policy("cispo with corrected kl", PolicyObjectives.Cispo() with { Beta = 0.2, CorrectKl = true }),
        Policy("divergence bound", PolicyObjectives.Grpo() with { Surrogate = PolicySurrogate.DppoTv(0.02) }),
        Policy("entropy bonus", PolicyObjectives.Grpo() with { EntropyCoefficient = 0.3, EntropyAggregation = LossAggregation.TokenMean }),
        Surrogate(),
        Value(null),
        Value(0.2),
        Distilled("forward kl", Divergence.ForwardKl),
        Distilled("jsd", Divergence.GeneralizedJsd(0.3)),
        Distilled("total variation", Divergence.TotalVariation),
    }.ToDictionary(item => item.Name);

    [Theory]
    [MemberData(nameof(Names))]
    public void OnePass_IsTheTensorOperators(string name, ScalarType type, bool strided)
    {
        using var scope = NewDisposeScope();
        var item = Cases[name];
        var inputs = item.Inputs(type, strided);
        double tolerance = OperatorCheck.Tolerance(type);
        var (found, wanted) = (item.Run(inputs), ByOperators(item.Run)(inputs));
        TensorAssert.Close(wanted.Losses, found.Losses, tolerance, "losses");
        Assert.Equal(wanted.Diagnostics.Length, found.Diagnostics.Length);
        for (int i = 0; i < found.Diagnostics.Length; i++)
            TensorAssert.Close(wanted.Diagnostics[i], found.Diagnostics[i], tolerance, $"diagnostic {i}");
        foreach (
            var part in new Func<(Tensor Loss, Tensor Losses, Tensor[] Diagnostics), Tensor>[]
            {
                result => result.Loss,
                result => result.Losses,
                result => result.Losses * 0.5 + result.Loss,
            }
        )
            OperatorCheck.Agree(x => part(item.Run(x)), x => part(ByOperators(item.Run)(x)), type, inputs);
    }

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void SecondDerivatives_AreThoseOfTheTensorOperators(string name)
    {
        using var scope = NewDisposeScope();
        var item = Cases[name];
        OperatorCheck.AgreeTwice(x => item.Run(x).Loss, x => ByOperators(item.Run)(x).Loss, item.Inputs(ScalarType.Float64, false));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Loss_IsTheSameForTwoThreads_AndLeavesNothing(string name, ScalarType type, bool strided)
    {
        using var scope = NewDisposeScope();
        var item = Cases[name];
        var inputs = item.Inputs(type, strided);
        OperatorCheck.IsTheSameForTwoThreads(x => item.Run(x).Loss, inputs);
        OperatorCheck.LeavesNothing(
            x =>
            {
                using var part = NewDisposeScope();
                return item.Run(x).Loss.MoveToOuterDisposeScope();
            },
            inputs
        );
    }

    [Fact]
    public void LargeBatch_IsTheSameForTwoThreads()
    {
        using var scope = NewDisposeScope();
        Tensor Make(int seed) => Numbers.Uniform(seed, 0.3, 64, 2048).to_type(ScalarType.Float32);
        var (old, reference, advantages) = (Make(2), Make(3), Numbers.Uniform(4, 1, 64).to_type(ScalarType.Float32));
        var mask = KernelFuzz.Holes(4, ScalarType.Float32, false, 64, 2048);
        var objective = PolicyObjectives.Gspo() with { Beta = 0.1 };
        OperatorCheck.IsTheSameForTwoThreads(
            x => objective.Loss(new PolicyBatch(x[0], old, advantages, mask) { ReferenceLogProbs = reference }).Loss,
            Make(1)
        );
    }

    [Fact]
    public void LossesOfOnesOwn_AndOtherTypes_RunAsTensorOperators()
    {
        using var scope = NewDisposeScope();
        var policy = new PairLogProbs(tensor(new[] { -1.0, -2 }), tensor(new[] { -3.0, -1 }));
        var own = DpoLoss.Of("mine", (scores, beta) => (1 - scores.Difference() * beta).square());
        // D_w − D_l = 2 and −1, β = 1: (1 − 2)² and (1 + 1)².
        TensorAssert.Close([1.0, 4], PreferenceLosses.Dpo(policy, null, new DpoObjective { Beta = 1, Loss = own }).PairLosses, 1e-15);
        var half = new PairLogProbs(policy.Chosen.to_type(ScalarType.BFloat16), policy.Rejected.to_type(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, PreferenceLosses.Dpo(half, null).Loss.dtype);
        // Mixed types: promoted as by tensor operators.
        var mixed = policy with
        {
            Rejected = policy.Rejected.to_type(ScalarType.Float32),
        };
        Assert.Equal(ScalarType.Float64, PreferenceLosses.Dpo(mixed, null).Loss.dtype);
    }

    private static Func<Tensor[], (Tensor Loss, Tensor Losses, Tensor[] Diagnostics)> ByOperators(
        Func<Tensor[], (Tensor Loss, Tensor Losses, Tensor[] Diagnostics)> run
    ) =>
        x =>
        {
            using var period = Fused.Reference();
            return run(x);
        };

    private static Tensor Like(int seed, Tensor like, double scale, double mean) =>
        (Numbers.Uniform(seed, scale, like.shape) + mean).to_type(like.dtype);

    private static PairLogProbs? Reference(PairLogProbs policy) => new(Like(91, policy.Chosen, 1, -2), Like(92, policy.Chosen, 1, -2));

    private static Tensor Weights(PairLogProbs policy) => Like(93, policy.Chosen, 0.4, 1);

    private static Case Pairs(string name, Func<PairLogProbs, PreferenceLoss> loss) =>
        new(
            name,
            x =>
            {
                var lengths = Like(94, x[0], 3, 6).round();
                var found = loss(new PairLogProbs(x[0], x[1], lengths, lengths.flip(0)));
                return (found.Loss, found.PairLosses, [found.ChosenRewards, found.RejectedRewards, found.Margins, found.Accuracy]);
            },
            (type, strided) => [KernelFuzz.Make(1, type, strided, 1, -2, 7), KernelFuzz.Make(2, type, strided, 1, -2, 7)]
        );

    private static Case Completions(string name, Func<Tensor, Tensor, Tensor, UnpairedLoss> loss) =>
        new(
            name,
            x =>
            {
                var found = loss(x[0], Like(91, x[0], 1, -2), Like(92, x[0], 1, 0) > 0);
                return (found.Loss, found.Losses, [found.Rewards]);
            },
            (type, strided) => [KernelFuzz.Make(3, type, strided, 1, -2, 6)]
        );

    private static Case Rewards(string name, Func<Tensor, Tensor, Tensor, RewardLoss> loss) =>
        new(
            name,
            x =>
            {
                var found = loss(x[0], x[1], Like(91, x[0], 0.4, 0.5));
                return (
                    found.Loss,
                    found.PairLosses,
                    [found.Accuracy, found.Margin, found.MeanReward, found.MinimumReward, found.MaximumReward]
                );
            },
            (type, strided) => [KernelFuzz.Make(4, type, strided, 2, 0, 9), KernelFuzz.Make(5, type, strided, 2, 0, 9)]
        );

    private static Case Policy(string name, PolicyObjective objective) =>
        new(
            name,
            x =>
            {
                var found = objective.Loss(
                    new PolicyBatch(x[0], Like(91, x[0], 0.4, -2), Like(92, x[0], 1, 0).select(1, 0), Like(93, x[0], 1, 0.4) > 0)
                    {
                        ReferenceLogProbs = Like(94, x[0], 0.4, -2),
                        Weights = Like(95, x[0], 0.5, 1),
                        ImportanceWeights = Like(96, x[0], 0.5, 1).select(1, 1),
                        Entropy = x[1],
                    }
                );
                return (found.Loss, found.TokenLosses, [found.ClipFraction, found.OldKl, found.Kl]);
            },
            (type, strided) => [KernelFuzz.Make(6, type, strided, 0.4, -2, 3, 7), KernelFuzz.Make(7, type, strided, 0.5, 1, 3, 7)]
        );

    private static Case Surrogate() =>
        new(
            "clipped surrogate",
            x =>
            {
                var found = PolicyLosses.ClippedSurrogate(
                    x[0],
                    Like(91, x[0], 0.4, -2),
                    Like(92, x[0], 1, 0),
                    Like(93, x[0], 1, 0.4) > 0,
                    0.2,
                    LossAggregation.SequenceMean,
                    5
                );
                return (found.Loss, found.TokenLosses, [found.ClipFraction, found.OldKl]);
            },
            (type, strided) => [KernelFuzz.Make(8, type, strided, 0.4, -2, 3, 7)]
        );

    private static Case Value(double? clip) =>
        new(
            clip is null ? "value" : "clipped value",
            x =>
            {
                var found = PolicyLosses.Value(x[0], Like(91, x[0], 1, 0), Like(92, x[0], 1, 0), Like(93, x[0], 1, 0.4) > 0, clip);
                return (found.Loss, found.TokenLosses, [found.ClipFraction]);
            },
            (type, strided) => [KernelFuzz.Make(9, type, strided, 1, 0, 3, 7)]
        );

    private static Case Distilled(string name, Divergence divergence) =>
        new(
            $"distillation, {name}",
            x =>
            {
                var mask = Like(93, x[0], 1, 0.4).select(2, 0) > 0;
                var found = DistillationLosses.Distill(
                    x[0],
                    Like(91, x[0], 3, 0),
                    mask,
                    new DistillationObjective { Divergence = divergence, Temperature = 1.5 }
                );
                return (found.Loss, found.TokenLosses, [found.Agreement]);
            },
            (type, strided) => [KernelFuzz.Make(10, type, strided, 3, 0, 2, 3, 9)]
        );
}
