using PostTrain.Exact;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

public sealed class OptimaTests
{
    private static double TotalVariation(Tensor first, Tensor second) => (first - second).abs().sum().ToDouble() / 2;

    [Fact]
    public void Rlhf_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // ref (1/2, 1/4, 1/4) and e^{r/β} = (1, 2, 4) with β = 2: weights 1/2, 1/2, 1; Z = 2.
        var optimum = Optima.Rlhf(
            new TokenTree(3, 1),
            tensor(
                    new double[,]
                    {
                        { 2, 1, 1 },
                    }
                )
                .log(),
            tensor(new double[] { 1, 2, 4 }).log() * 2,
            2
        );
        TensorAssert.Close([0.25, 0.25, 0.5], optimum.LogProbs.exp(), 1e-15);
        TensorAssert.Close([0.25, 0.25, 0.5], optimum.Logits.softmax(-1), 1e-15);
        TensorAssert.Close(1.3862943611198906, optimum.Value, 1e-15);
    }

    [Theory]
    [InlineData(6, 1, 0.3)]
    [InlineData(2, 5, 1)]
    [InlineData(4, 5, 0.1)]
    [InlineData(3, 3, 5)]
    public void Rlhf_IsTheOptimum(int vocabulary, int depth, double beta)
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(vocabulary, depth);
        var (reference, rewards) = (Numbers.Uniform(1, 1, tree.Nodes, vocabulary), Numbers.Uniform(2, 1, tree.Sequences));
        var optimum = Optima.Rlhf(tree, reference, rewards, beta);
        // π_ref·e^{r/β}/Z in plain numbers.
        double[] weights =
        [
            .. Numbers.Values(ExactPolicy.LogProbs(tree, reference)).Zip(Numbers.Values(rewards), (l, r) => Math.Exp(l + r / beta)),
        ];
        double partition = weights.Sum();
        var boltzmann = tensor(weights) / partition;
        Assert.InRange(TotalVariation(boltzmann, optimum.LogProbs.exp()), 0, 1e-12);
        // The policy on the tree has that distribution over sequences.
        Assert.InRange(TotalVariation(boltzmann, ExactPolicy.LogProbs(tree, optimum.Logits).exp()), 0, 1e-10);

        Tensor Objective(Tensor z) => ExactPolicy.Objective(tree, z, rewards) - ExactPolicy.Kl(tree, z, reference) * beta;
        TensorAssert.Close(beta * Math.Log(partition), optimum.Value, 1e-12);
        TensorAssert.Close(optimum.Value, Objective(optimum.Logits), 1e-12);
        // KL(π*‖ref) = E[r]/β − log Z
        TensorAssert.Close(
            ExactPolicy.Objective(tree, optimum.Logits, rewards) / beta - Math.Log(partition),
            ExactPolicy.Kl(tree, optimum.Logits, reference),
            1e-11
        );
        TensorAssert.Close(zeros_like(reference), Numbers.Gradient(Objective, optimum.Logits), 1e-12);
        // Any other policy has less by exactly β·KL(π‖π*).
        for (int seed = 3; seed < 8; seed++)
        {
            var other = Numbers.Uniform(seed, 2, tree.Nodes, vocabulary);
            TensorAssert.Close(ExactPolicy.Kl(tree, other, optimum.Logits) * beta, optimum.Value - Objective(other), 1e-11);
        }
    }

    [Fact]
    public void Rlhf_SurvivesExtremeRewards()
    {
        using var scope = NewDisposeScope();
        var optimum = Optima.Rlhf(
            new TokenTree(2, 2),
            zeros(3, 2, dtype: ScalarType.Float64),
            tensor(new double[] { 1e4, -1e4, 0, 1e4 }),
            0.5
        );
        TensorAssert.Close([0.5, 0, 0, 0.5], optimum.LogProbs.exp(), 1e-11);
        TensorAssert.Close(1e4 + 0.5 * Math.Log(0.5), optimum.Value, 1e-12);
    }

    [Fact]
    public void GrpoWithK3_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // β = 1, ref (1/2, 1/2), r (0, 1): 1/(2λ) + 1/(2(λ − 1)) = 1 gives λ = 1 + 1/√2.
        double root = Math.Sqrt(0.5);
        TensorAssert.Close(
            [0.5 / (1 + root), 0.5 / root],
            Optima.GrpoWithK3(tensor(new[] { 0.5, 0.5 }), tensor(new double[] { 0, 1 }), 1),
            1e-14
        );
        // Equal rewards leave the reference, an excluded action stays out, whatever its reward.
        TensorAssert.Close([0.2, 0, 0.8], Optima.GrpoWithK3(tensor(new[] { 0.2, 0, 0.8 }), tensor(new double[] { 3, 100, 3 }), 0.7), 1e-14);
        TensorAssert.Close([1], Optima.GrpoWithK3(tensor(new[] { 1.0 }), tensor(new[] { 1e4 }), 1e-3), 1e-14);
    }

    /// <summary>The expected on-policy gradient of GRPO's loss, −E[A∇l] + β·E[∇k3], vanishes there and not at the RLHF optimum; with k2 it
    /// is the other way round.</summary>
    [Theory]
    [InlineData(1.3)]
    [InlineData(0.05)]
    public void GrpoWithK3_IsTheFixedPoint_AndNotTheRlhfOptimum(double beta)
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(5, 1);
        var (referenceLogits, rewards) = (Numbers.Uniform(11, 1, 1, 5), Numbers.Uniform(12, 2, 5));
        var reference = ExactPolicy.LogProbs(tree, referenceLogits);
        var found = Optima.GrpoWithK3(reference.exp(), rewards, beta);
        TensorAssert.Close(1, found.sum(), 1e-13);
        // λ = β + E_π[r]
        TensorAssert.Close((reference.exp() * beta / found) + rewards, (beta + (found * rewards).sum()).expand(5), 1e-12);

        Tensor Loss(Tensor z, KlEstimator estimator)
        {
            var logProbs = ExactPolicy.LogProbs(tree, z);
            var drawn = logProbs.exp().detach();
            return (drawn * (KlDivergence.Estimate(logProbs, reference, estimator) * beta - rewards * logProbs)).sum();
        }
        var boltzmann = Optima.Rlhf(tree, referenceLogits, rewards, beta);
        double Slope(Tensor z, KlEstimator estimator) => Numbers.Gradient(x => Loss(x, estimator), z).abs().max().ToDouble();
        var at = found.log().unsqueeze(0);
        Assert.InRange(Slope(at, KlEstimator.K3), 0, 1e-12);
        Assert.InRange(Slope(boltzmann.Logits, KlEstimator.K2), 0, 1e-12);
        Assert.InRange(Slope(boltzmann.Logits, KlEstimator.K3StraightThrough), 0, 1e-12);
        Assert.True(Slope(at, KlEstimator.K2) > 1e-2);
        Assert.True(Slope(boltzmann.Logits, KlEstimator.K3) > 1e-2);
        Assert.True(TotalVariation(found, boltzmann.LogProbs.exp()) > 0.01);
    }

    [Fact]
    public void TrainingWithK3_EndsAtTheFixedPoint()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(4, 1);
        var reference = ExactPolicy.LogProbs(tree, Numbers.Uniform(13, 1, 1, 4));
        var rewards = Numbers.Uniform(14, 1, 4);
        const double beta = 1.3;
        var logits = zeros(1, 4, dtype: ScalarType.Float64);
        for (int step = 0; step < 1000; step++)
        {
            using var inner = NewDisposeScope();
            var gradient = Numbers.Gradient(
                z =>
                {
                    var logProbs = ExactPolicy.LogProbs(tree, z);
                    return (logProbs.exp().detach() * (KlDivergence.Estimate(logProbs, reference) * beta - rewards * logProbs)).sum();
                },
                logits
            );
            logits.sub_(gradient);
        }
        Assert.InRange(
            TotalVariation(Optima.GrpoWithK3(reference.exp(), rewards, beta), ExactPolicy.LogProbs(tree, logits).exp()),
            0,
            1e-10
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 1);
        Assert.Equal("beta", Assert.Throws<ArgumentOutOfRangeException>(() => Optima.Rlhf(tree, zeros(1, 2), zeros(2), 0)).ParamName);
        Assert.Equal("rewards", Assert.Throws<ArgumentException>(() => Optima.Rlhf(tree, zeros(1, 2), zeros(3), 1)).ParamName);
        var (half, reward) = (tensor(new[] { 0.5, 0.5 }), tensor(new double[] { 0, 1 }));
        Assert.Equal("beta", Assert.Throws<ArgumentOutOfRangeException>(() => Optima.GrpoWithK3(half, reward, -1)).ParamName);
        Assert.Equal(
            "rewards",
            Assert.Throws<ArgumentException>(() => Optima.GrpoWithK3(half, zeros(3, dtype: ScalarType.Float64), 1)).ParamName
        );
        Assert.Equal("rewards", Assert.Throws<ArgumentException>(() => Optima.GrpoWithK3(half, reward / 0, 1)).ParamName);
        Assert.Contains(
            "sums to 0.6",
            Assert.Throws<ArgumentException>(() => Optima.GrpoWithK3(tensor(new[] { 0.5, 0.1 }), reward, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Float32, expected Float64",
            Assert.Throws<ArgumentException>(() => Optima.GrpoWithK3(half.to_type(ScalarType.Float32), reward, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("referenceProbs", Assert.Throws<ArgumentException>(() => Optima.GrpoWithK3(zeros(1, 2), zeros(1, 2), 1)).ParamName);
    }
}
