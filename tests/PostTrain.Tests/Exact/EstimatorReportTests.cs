using PostTrain.Exact;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

public class EstimatorReportTests
{
    private const int GroupSize = 3;
    private const double Beta = 0.4;

    private static readonly AdvantageEstimator[] Estimators =
    [
        new("REINFORCE", rewards => Advantages.Reinforce(rewards)),
        new("RLOO", rewards => Advantages.LeaveOneOut(rewards, GroupSize)),
        new("centred", rewards => Advantages.GroupRelative(rewards, GroupSize, GroupScaling.None)),
    ];

    private static EstimatorQuality[] Report(TokenTree tree, out double[] pull)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var logits = randn([tree.Nodes, tree.Vocabulary], ScalarType.Float64, generator: generator);
        var reference = randn([tree.Nodes, tree.Vocabulary], ScalarType.Float64, generator: generator);
        var rewards = rand([tree.Sequences], ScalarType.Float64, generator: generator) + 2;
        // ∇KL(π‖ref), ∇KL(ref‖π) and the truth, for the biases that theory gives.
        var policy = logits.clone().requires_grad_();
        Tensor Grad(Tensor value) => autograd.grad(new[] { value }, new[] { policy }, retain_graph: true)[0];
        var forward = Grad(ExactPolicy.Kl(tree, policy, reference));
        var truth = Grad(ExactPolicy.Objective(tree, policy, rewards)) - forward * Beta;
        var weights = ExactPolicy.LogProbs(tree, reference).exp();
        var backward = Grad((weights * (ExactPolicy.LogProbs(tree, reference) - ExactPolicy.LogProbs(tree, policy))).sum());
        double norm = truth.norm().ToDouble();
        pull = [(forward * Beta).norm().ToDouble() / norm, ((forward - backward) * Beta).norm().ToDouble() / norm];
        return [.. EstimatorReport.Of(tree, logits, reference, rewards, Beta, GroupSize, Estimators)];
    }

    private static EstimatorQuality Find(EstimatorQuality[] report, string advantage, KlEstimator kl, KlPlacement placement) =>
        report.Single(row => (row.Advantage, row.Kl, row.Placement) == (advantage, kl, placement));

    [Theory]
    [InlineData(3, 1)]
    [InlineData(2, 2)]
    public void K1InTheReward_IsUnbiasedForReinforceAndRloo_AndShrunkByTheGroupMean(int vocabulary, int depth)
    {
        var report = Report(new TokenTree(vocabulary, depth), out _);
        Assert.InRange(Find(report, "REINFORCE", KlEstimator.K1, KlPlacement.Reward).Bias, 0, 1e-12);
        Assert.InRange(Find(report, "RLOO", KlEstimator.K1, KlPlacement.Reward).Bias, 0, 1e-12);
        Assert.Equal(1.0 / GroupSize, Find(report, "centred", KlEstimator.K1, KlPlacement.Reward).Bias, 12);
    }

    [Fact]
    public void InTheLoss_OnABandit_K1DoesNothing_K2IsRight_K3PullsTheOtherWay()
    {
        var report = Report(new TokenTree(4, 1), out var pull);
        Assert.Equal(pull[0], Find(report, "RLOO", KlEstimator.K1, KlPlacement.Loss).Bias, 12);
        Assert.InRange(Find(report, "RLOO", KlEstimator.K2, KlPlacement.Loss).Bias, 0, 1e-12);
        Assert.Equal(pull[1], Find(report, "RLOO", KlEstimator.K3, KlPlacement.Loss).Bias, 12);
        Assert.True(pull[0] > 0.01 && pull[1] > 0.01);
    }

    [Fact]
    public void ABaseline_LowersTheVarianceOfRewardsFarFromZero()
    {
        var report = Report(new TokenTree(2, 2), out _);
        Assert.True(
            Find(report, "RLOO", KlEstimator.K1, KlPlacement.Reward).Variance
                < 0.5 * Find(report, "REINFORCE", KlEstimator.K1, KlPlacement.Reward).Variance
        );
        Assert.Equal(18, report.Length);
    }

    [Fact]
    public void TooManyGroups_AreRefused()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(4, 3);
        var logits = zeros([tree.Nodes, 4], ScalarType.Float64);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() =>
            EstimatorReport.Of(tree, logits, logits, zeros([64], ScalarType.Float64), 0.1, 4, Estimators)
        );
        Assert.Equal("groupSize", error.ParamName);
    }
}
