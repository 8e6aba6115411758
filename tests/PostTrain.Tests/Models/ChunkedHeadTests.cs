using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Operators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Losses of some rows' logits at a time against the same losses of all logits.</summary>
[Collection("Sequential")]
public sealed class ChunkedHeadTests
{
    private const int Rows = 6,
        Columns = 5,
        Width = 4,
        Vocabulary = 9;

    public static TheoryData<string, int> Cases
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string name in Shares.Keys)
            foreach (int positions in new[] { 1, 11, 1000 })
                data.Add(name, positions);
            return data;
        }
    }

    // The share of some units in the loss of a batch whose denominators are known, and the rows of a unit.
    private static readonly Dictionary<string, (int UnitRows, Func<Tensor, int, int, Tensor> Share)> Shares = new()
    {
        ["dpo"] = (2, Dpo),
        ["grpo"] = (1, (logits, start, count) => Grpo(logits, start, count, PolicyObjectives.Grpo() with { Beta = 0.1 })),
        ["grpo, entropy bonus"] = (
            1,
            (logits, start, count) => Grpo(logits, start, count, PolicyObjectives.Gspo() with { EntropyCoefficient = 0.2 })
        ),
        ["gkd"] = (1, Gkd),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Parts_GiveTheLossAndTheGradientsOfAllLogits(string name, int positions)
    {
        using var scope = NewDisposeScope();
        var (unitRows, share) = Shares[name];
        var inputs = new[] { Numbers.Uniform(1, 1, Rows, Columns, Width), Numbers.Uniform(2, 1, Vocabulary, Width) };
        Tensor Chunked(Tensor[] x) => ChunkedHead.Loss(x[0], x[1], unitRows, share, positions);
        Tensor Whole(Tensor[] x) => share(matmul(x[0], x[1].t()), 0, Rows / unitRows);
        OperatorCheck.Agree(Chunked, Whole, ScalarType.Float64, inputs);
        OperatorCheck.Agree(x => Chunked([x[0], inputs[1]]), x => Whole([x[0], inputs[1]]), ScalarType.Float64, inputs[0]);
        OperatorCheck.Agree(x => Chunked([inputs[0], x[0]]), x => Whole([inputs[0], x[0]]), ScalarType.Float64, inputs[1]);
    }

    [Fact]
    public void Loss_LeavesNothing()
    {
        using var scope = NewDisposeScope();
        var inputs = new[] { Numbers.Uniform(1, 1, Rows, Columns, Width), Numbers.Uniform(2, 1, Vocabulary, Width) };
        OperatorCheck.LeavesNothing(x => ChunkedHead.Loss(x[0], x[1], 2, Dpo, 11), inputs);
    }

    [Fact]
    public void Parts_CoverAllUnitsOnce()
    {
        Assert.Equal([(0, 3), (3, 3), (6, 1)], ChunkedHead.Parts(7, 100, 256));
        Assert.Equal([(0, 1), (1, 1)], ChunkedHead.Parts(2, 1000, 256));
        Assert.Equal([(0, 2)], ChunkedHead.Parts(2, 0, 256));
        Assert.Equal([(0, 0)], ChunkedHead.Parts(0, 10, 256));
    }

    [Fact]
    public void PreferenceLosses_GiveTheGoldenValues()
    {
        int count = 0;
        foreach (var item in GoldenFile.Load("liger")!.Cases.Select(item => item.Open()).Where(item => item.Kind == "fused_linear_dpo"))
        {
            if (item.Flag("average_log_prob"))
                continue;
            using var scope = NewDisposeScope();
            Check(item);
            count++;
        }
        Assert.True(count > 10);
    }

    private static void Check(GoldenCase item)
    {
        var targets = item.Input("target");
        var mask = targets.ne(-100).to_type(ScalarType.Float32);
        int pairs = (int)targets.shape[0] / 2;
        double tokens = mask.narrow(0, 0, pairs).sum().ToDouble();
        var reference = item.HasInput("ref_weight")
            ? Sums(matmul(States(item, "ref_"), Weight(item, "ref_").t()), targets, mask)
            : zeros(targets.shape[0]);
        var options = new DpoObjective
        {
            Beta = item.Parameter("beta", 0.1),
            Loss = DpoGolden.Named(item, item.Text("loss_type") ?? "sigmoid", item.Parameter("discopop_tau", 0.05)),
        };
        Tensor Share(Tensor logits, int start, int n)
        {
            Tensor Part(Tensor values) => cat([values.narrow(0, start, n), values.narrow(0, pairs + start, n)], 0);
            PairLogProbs Pairs(Tensor values) => new(values.narrow(0, 0, n), values.narrow(0, n, n));
            var sums = Sums(logits, Part(targets), Part(mask));
            var loss = PreferenceLosses.Dpo(Pairs(sums), Pairs(Part(reference)), options, null, pairs).Loss;
            return item.Flag("compute_nll_loss") ? loss - Pairs(sums).Chosen.sum() * (item.Parameter("alpha", 1) / tokens) : loss;
        }
        var leaves = new[] { States(item, "").requires_grad_(true), Weight(item, "").requires_grad_(true) };
        var loss = ChunkedHead.Loss(leaves[0], leaves[1], 2, Share, positions: 1);
        loss.backward();
        long width = item.Input("hidden").shape[^1];
        TensorAssert.Close(item.ExpectedNumber("loss"), loss, LigerGolden.Tolerance, item.Id);
        TensorAssert.Close(item.Gradient("hidden"), leaves[0].grad!.narrow(-1, 0, width), LigerGolden.Tolerance, item.Id);
        TensorAssert.Close(item.Gradient("weight"), leaves[1].grad!.narrow(-1, 0, width), LigerGolden.Tolerance, item.Id);
        if (item.HasInput("bias"))
            TensorAssert.Close(item.Gradient("bias"), leaves[1].grad!.select(-1, width), LigerGolden.Tolerance, item.Id);
    }

    // W·h + b = [W b]·[h 1].
    private static Tensor States(GoldenCase item, string prefix)
    {
        var hidden = item.Input($"{prefix}hidden");
        return cat([hidden, ones_like(hidden.narrow(-1, 0, 1))], -1);
    }

    private static Tensor Weight(GoldenCase item, string prefix)
    {
        var weight = item.Input($"{prefix}weight");
        return cat([weight, item.HasInput($"{prefix}bias") ? item.Input($"{prefix}bias").unsqueeze(-1) : zeros(weight.shape[0], 1)], 1);
    }

    private static Tensor Ids => (Numbers.Uniform(3, 4, Rows, Columns) + 4).round().to_type(ScalarType.Int64);

    private static Tensor Mask => Numbers.Uniform(4, 1, Rows, Columns) > -0.5;

    private static Tensor Sums(Tensor logits, Tensor targets, Tensor mask) => TokenLogProbs.Gather(logits, targets, mask).sum(1L);

    private static Tensor Dpo(Tensor logits, int start, int count)
    {
        Tensor Part(Tensor values) => cat([values.narrow(0, start, count), values.narrow(0, Rows / 2 + start, count)], 0);
        var sums = Sums(logits, Part(Ids), Part(Mask));
        var anchors = Part(Numbers.Uniform(5, 1, Rows) - 8);
        return PreferenceLosses
            .Dpo(
                new PairLogProbs(sums.narrow(0, 0, count), sums.narrow(0, count, count)),
                new PairLogProbs(anchors.narrow(0, 0, count), anchors.narrow(0, count, count)),
                denominator: Rows / 2
            )
            .Loss;
    }

    private static Tensor Grpo(Tensor logits, int start, int count, PolicyObjective objective)
    {
        Tensor Part(Tensor values) => values.narrow(0, start, count);
        var near = Numbers.Uniform(6, 0.3, Rows, Columns) - 2;
        var logProbs = TokenLogProbs.Gather(logits, Part(Ids), Part(Mask));
        var batch = new PolicyBatch(logProbs, Part(near), Part(Numbers.Uniform(7, 1, Rows)), Part(Mask))
        {
            ReferenceLogProbs = Part(near + 0.2),
            Entropy = TokenLogProbs.Entropy(logits),
        };
        return objective.Loss(batch, objective.Denominators(Mask)).Loss;
    }

    private static Tensor Gkd(Tensor logits, int start, int count)
    {
        var teacher = Numbers.Uniform(8, 2, Rows, Columns, Vocabulary).narrow(0, start, count);
        return DistillationLosses
            .Distill(
                logits,
                teacher,
                Mask.narrow(0, start, count),
                new DistillationObjective { Divergence = Divergence.Gkd(0.3) },
                LossAggregation.TokenMean,
                LossAggregation.TokenMean.Denominator(Mask)
            )
            .Loss;
    }
}
