using PostTrain.Exact;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Exact;

public sealed class ExactPolicyTests
{
    public static TheoryData<int, int> Trees =>
        new()
        {
            { 2, 1 },
            { 7, 1 },
            { 2, 3 },
            { 3, 4 },
            { 4, 5 },
            { 1, 3 },
        };

    // log of (1/4, 3/4) at the root, (1/2, 1/2) after 0, (1/3, 2/3) after 1.
    private static Tensor SmallLogits() =>
        tensor(
                new double[,]
                {
                    { 1, 3 },
                    { 1, 1 },
                    { 1, 2 },
                }
            )
            .log();

    [Fact]
    public void SmallTree_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 2);
        Assert.Equal((3, 4), (tree.Nodes, tree.Sequences));
        Assert.Equal([1, 0], tree.Tokens(2));
        var (logits, rewards) = (SmallLogits(), tensor(new double[] { 8, 0, 4, 1 }));
        // Sequences 00, 01, 10, 11.
        TensorAssert.Close([0.125, 0.125, 0.25, 0.5], ExactPolicy.LogProbs(tree, logits).exp(), 1e-15);
        TensorAssert.Close([0.25, 0.5, 0.25, 0.5, 0.75, 1 / 3.0, 0.75, 2 / 3.0], ExactPolicy.TokenLogProbs(tree, logits).exp(), 1e-15);
        TensorAssert.Close([1, 0.25, 0.75], ExactPolicy.Reach(tree, logits), 1e-15);
        // 8/8 + 4/4 + 1/2
        TensorAssert.Close(2.5, ExactPolicy.Objective(tree, logits, rewards), 1e-15);
        var values = ExactPolicy.Values(tree, logits, rewards);
        TensorAssert.Close([2.5, 4, 2], values.Values, 1e-15);
        TensorAssert.Close([4, 2, 8, 0, 4, 1], values.ActionValues, 1e-15);
        TensorAssert.Close([1.5, -0.5, 4, -4, 2, -1], values.Advantages, 1e-15);
        // P(s)·π·A: 1·(3/8, −3/8); 1/4·(2, −2); 3/4·(2/3, −2/3).
        TensorAssert.Close([0.375, -0.375, 0.5, -0.5, 0.5, -0.5], ExactPolicy.Gradient(tree, logits, rewards), 1e-15);
        // 2·(1/8) log 8 + (1/4) log 4 + (1/2) log 2 = 1.75 log 2; against the uniform policy log 4 less that.
        TensorAssert.Close(1.2130075659799042, ExactPolicy.Entropy(tree, logits), 1e-15);
        TensorAssert.Close(0.17328679513998632, ExactPolicy.Kl(tree, logits, zeros_like(logits)), 1e-15);
    }

    [Theory]
    [MemberData(nameof(Trees))]
    public void ClosedForms_AgreeWithEnumeration(int vocabulary, int depth)
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(vocabulary, depth);
        var (logits, reference, rewards) = (
            Numbers.Uniform(1, 2, tree.Nodes, vocabulary),
            Numbers.Uniform(2, 2, tree.Nodes, vocabulary),
            Numbers.Uniform(3, 1, tree.Sequences)
        );
        var logProbs = ExactPolicy.LogProbs(tree, logits);
        TensorAssert.Close(1, logProbs.exp().sum(), 1e-13);
        TensorAssert.Close(logProbs, ExactPolicy.TokenLogProbs(tree, logits).sum(1), 1e-13);
        var values = ExactPolicy.Values(tree, logits, rewards);
        TensorAssert.Close(ExactPolicy.Objective(tree, logits, rewards), values.Values[0], 1e-13);
        TensorAssert.Close(zeros(tree.Nodes, dtype: ScalarType.Float64), (logits.softmax(-1) * values.Advantages).sum(-1), 1e-13);
        TensorAssert.Close(
            Numbers.Gradient(z => ExactPolicy.Objective(tree, z, rewards), logits),
            ExactPolicy.Gradient(tree, logits, rewards),
            1e-13
        );
        // The chain rules: a sequence's divergence and entropy are those of its prefixes, weighted by how often they are reached.
        var reach = ExactPolicy.Reach(tree, logits);
        TensorAssert.Close((reach * KlDivergence.Exact(logits, reference)).sum(), ExactPolicy.Kl(tree, logits, reference), 1e-12);
        TensorAssert.Close((reach * TokenLogProbs.Entropy(logits)).sum(), ExactPolicy.Entropy(tree, logits), 1e-12);
        // Sequence by sequence, in plain loops.
        var (choice, listed) = (Numbers.Values(logits.softmax(-1)), Numbers.Values(logProbs));
        for (int index = 0; index < tree.Sequences; index++)
        {
            double probability = 1;
            int start = 0,
                count = 1,
                prefix = 0;
            foreach (int token in tree.Tokens(index))
            {
                probability *= choice[(start + prefix) * vocabulary + token];
                (start, count, prefix) = (start + count, count * vocabulary, prefix * vocabulary + token);
            }
            Assert.Equal(probability, Math.Exp(listed[index]), 1e-14);
        }
    }

    [Fact]
    public void Gradients_AgreeWithDifferences()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 3);
        var (logits, reference, rewards) = (Numbers.Uniform(4, 1, 7, 2), Numbers.Uniform(5, 1, 7, 2), Numbers.Uniform(6, 1, 8));
        GradientCheck.Run(x => ExactPolicy.Objective(tree, x[0], x[1]), logits, rewards);
        GradientCheck.Run(x => ExactPolicy.Kl(tree, x[0], x[1]), logits, reference);
        GradientCheck.Run(x => ExactPolicy.Entropy(tree, x[0]), logits);
    }

    /// <summary>On the first update after sampling the surrogate's expected gradient is the true one, with rewards and with the exact
    /// advantages.</summary>
    [Fact]
    public void ExpectedGradientOfTheSurrogate_IsTheTrueOne()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(3, 4);
        var (logits, rewards) = (Numbers.Uniform(7, 1, tree.Nodes, 3), Numbers.Uniform(8, 1, tree.Sequences));
        var old = ExactPolicy.TokenLogProbs(tree, logits);
        // Each sequence once, weighted by how often it would be drawn.
        var weighted = ExactPolicy.LogProbs(tree, logits).exp() * rewards;
        var gradient = Numbers.Gradient(
            z =>
                PolicyLosses
                    .ClippedSurrogate(
                        ExactPolicy.TokenLogProbs(tree, z),
                        old,
                        weighted,
                        ones(tree.Sequences, 4),
                        0.2,
                        LossAggregation.TokenSum
                    )
                    .Loss,
            logits
        );
        TensorAssert.Close(ExactPolicy.Gradient(tree, logits, rewards).neg(), gradient, 1e-13);
    }

    [Fact]
    public void ExcludedTokensAndExtremeLogits_StayFinite()
    {
        using var scope = NewDisposeScope();
        var tree = new TokenTree(2, 1);
        var excluded = tensor(
            new double[,]
            {
                { 0, double.NegativeInfinity },
            }
        );
        TensorAssert.Close(0, ExactPolicy.Entropy(tree, excluded), 0);
        TensorAssert.Close(0.6931471805599453, ExactPolicy.Kl(tree, excluded, zeros(1, 2, dtype: ScalarType.Float64)), 1e-15);
        TensorAssert.Close(double.PositiveInfinity, ExactPolicy.Kl(tree, zeros(1, 2, dtype: ScalarType.Float64), excluded), 0);
        var extreme = tensor(
            new double[,]
            {
                { 1e4, -1e4 },
            }
        );
        TensorAssert.Close(2e4, ExactPolicy.Kl(tree, extreme, extreme.neg()), 1e-12);
        TensorAssert.Finite(Numbers.Gradient(z => ExactPolicy.Kl(tree, z, extreme.neg()), extreme));
        TensorAssert.Finite(Numbers.Gradient(z => ExactPolicy.Entropy(tree, z), extreme));
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        var tree = new TokenTree(2, 3);
        using var logits = Numbers.Uniform(9, 1, 7, 2).requires_grad_(true);
        using var rewards = Numbers.Uniform(10, 1, 8);
        Ownership.Check(() => [ExactPolicy.LogProbs(tree, logits)], logits);
        Ownership.Check(() => [ExactPolicy.TokenLogProbs(tree, logits)], logits);
        Ownership.Check(() => [ExactPolicy.Reach(tree, logits)], logits);
        Ownership.Check(() => [ExactPolicy.Objective(tree, logits, rewards)], logits, rewards);
        Ownership.Check(() => [ExactPolicy.Gradient(tree, logits, rewards)], logits, rewards);
        Ownership.Check(() => [ExactPolicy.Kl(tree, logits, logits)], logits);
        Ownership.Check(() => [ExactPolicy.Entropy(tree, logits)], logits);
        Ownership.Check(
            () =>
            {
                var values = ExactPolicy.Values(tree, logits, rewards);
                return [values.Values, values.ActionValues, values.Advantages];
            },
            logits,
            rewards
        );
        Ownership.Check(
            () =>
            {
                var optimum = Optima.Rlhf(tree, logits, rewards, 0.5);
                return [optimum.Logits, optimum.LogProbs, optimum.Value];
            },
            logits,
            rewards
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        Assert.Equal("vocabulary", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTree(0, 1)).ParamName);
        Assert.Equal("depth", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTree(2, 0)).ParamName);
        Assert.Equal("depth", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTree(4, 7)).ParamName);
        Assert.Equal("depth", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTree(1, int.MaxValue)).ParamName);
        var tree = new TokenTree(2, 2);
        Assert.Equal("index", Assert.Throws<ArgumentOutOfRangeException>(() => tree.Tokens(4)).ParamName);
        Assert.Contains(
            "logits has shape [2, 2], expected [3, 2]",
            Assert.Throws<ArgumentException>(() => ExactPolicy.LogProbs(tree, zeros(2, 2))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "rewards has shape [3], expected [4]",
            Assert.Throws<ArgumentException>(() => ExactPolicy.Objective(tree, zeros(3, 2), zeros(3))).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("referenceLogits", Assert.Throws<ArgumentException>(() => ExactPolicy.Kl(tree, zeros(3, 2), zeros(2, 2))).ParamName);
        Assert.Equal(
            "logits",
            Assert.Throws<ArgumentException>(() => ExactPolicy.Reach(tree, zeros(3, 2, dtype: ScalarType.Int64))).ParamName
        );
    }
}
