using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PostTrain.Torch.Tests.Nn;

[Collection("Sequential")]
public class FunctionalTests
{
    private static readonly double[] Scores = [1, 2, 3, 1, 0, -1];

    // log Σ exp of (1,2,3) and of (1,0,-1).
    private static readonly double First = 3 + Math.Log(1 + Math.Exp(-1) + Math.Exp(-2));
    private static readonly double Second = 1 + Math.Log(1 + Math.Exp(-1) + Math.Exp(-2));

    [Fact]
    public void CrossEntropy_OfTwoRows_IsMinusTheLogProbability()
    {
        using var scope = NewDisposeScope();
        var scores = Numbers.Real(Scores, 2, 3);
        var targets = tensor(new long[] { 2, 1 });

        Numbers.Same([First - 3, Second - 0], F.cross_entropy(scores, targets, reduction: nn.Reduction.None));
        Numbers.Same([(First - 3 + Second) / 2], F.cross_entropy(scores, targets));
        Numbers.Same([First - 3 + Second], F.cross_entropy(scores, targets, reduction: nn.Reduction.Sum));
        Numbers.Same([First - 3], F.cross_entropy(scores, tensor(new long[] { 2, -100 })));
        // Class weights 1, 2, 3: the mean is over the weights of the targets.
        Numbers.Same([(3 * (First - 3) + 2 * Second) / 5], F.cross_entropy(scores, targets, weight: Numbers.Real([1, 2, 3])));
        // Smoothing 0.3: 0.7 of the loss and 0.3 of the mean over the classes.
        Numbers.Same([0.7 * (First - 3) + 0.3 * (First - 2)], F.cross_entropy(scores[0].unsqueeze(0), tensor(new long[] { 2 }), label_smoothing: 0.3));
        Numbers.Same([(First - 3 + Second) / 2], F.nll_loss(F.log_softmax(scores, -1), targets));
        Numbers.GradientsMatch(() => F.cross_entropy(scores, targets), scores.requires_grad_());
    }

    [Fact]
    public void RegressionLosses_OfSmallDifferences_EqualTheirFormulas()
    {
        using var scope = NewDisposeScope();
        var (input, target) = (Numbers.Real([0, 1, 4]), Numbers.Real([0.5, 3, 4]));

        // Differences 0.5, 2, 0.
        Numbers.Same([(0.25 + 4) / 3], F.mse_loss(input, target));
        Numbers.Same([2.5], F.l1_loss(input, target, nn.Reduction.Sum));
        Numbers.Same([0.125, 1.5, 0], F.smooth_l1_loss(input, target, nn.Reduction.None));
        Numbers.Same([0.25 / 4, 1, 0], F.smooth_l1_loss(input, target, nn.Reduction.None, beta: 2));
        Numbers.Same([0.125, 0.5 * (2 - 0.25), 0], F.huber_loss(input, target, 0.5, nn.Reduction.None));
    }

    [Fact]
    public void KlDiv_ByDefault_TakesLogTargets()
    {
        using var scope = NewDisposeScope();
        var (q, p) = (Numbers.Real([0.25, 0.75]), Numbers.Real([0.5, 0.5]));
        double divergence = 0.5 * Math.Log(2) + 0.5 * Math.Log(0.5 / 0.75);

        Numbers.Same([divergence], F.kl_div(q.log(), p.log(), reduction: nn.Reduction.Sum));
        Numbers.Same([divergence / 2], F.kl_div(q.log(), p, log_target: false));
    }

    [Fact]
    public void BinaryCrossEntropy_WithLogits_StaysFiniteFarOut()
    {
        using var scope = NewDisposeScope();
        var (scores, targets) = (Numbers.Real([2, -1, 1000]), Numbers.Real([1, 0, 0]));

        Numbers.Same([Math.Log(1 + Math.Exp(-2)), Math.Log(1 + Math.Exp(-1)), 1000],
            F.binary_cross_entropy_with_logits(scores, targets, reduction: nn.Reduction.None));
        Numbers.Same([3 * Math.Log(1 + Math.Exp(-2))], F.binary_cross_entropy_with_logits(scores[0], targets[0], pos_weights: Numbers.Real([3])[0]));
        Numbers.Same([-Math.Log(0.8)], F.binary_cross_entropy(Numbers.Real([0.8]), Numbers.Real([1])));
    }

    [Fact]
    public void Activations_FarOut_StayFinite()
    {
        using var scope = NewDisposeScope();

        Numbers.Same([0, Math.Log(2), 1000], F.softplus(Numbers.Real([-1000, 0, 1000])));
        Numbers.Same([-1000, -Math.Log(2), 0], F.logsigmoid(Numbers.Real([-1000, 0, 1000])));
        Numbers.Same([0, 1], F.softmax(Numbers.Real([-1000, 1000]), 0));
        Assert.Equal(float64, F.softmax(ones(2), 0, float64).dtype);
    }

    [Fact]
    public void Attention_OfTwoKeys_IsTheirWeightedMean()
    {
        using var scope = NewDisposeScope();
        // E = 4, so the scale is 1/2: scores (2, 0) / 2 = (1, 0).
        var query = Numbers.Real([2, 0, 0, 0], 1, 1, 4);
        var key = Numbers.Real([1, 0, 0, 0, 0, 1, 0, 0], 1, 2, 4);
        var value = Numbers.Real([10, 20], 1, 2, 1);
        double weight = Math.E / (Math.E + 1);

        Numbers.Same([10 * weight + 20 * (1 - weight)], F.scaled_dot_product_attention(query, key, value));
        Numbers.Same([20.0], F.scaled_dot_product_attention(query, key, value, tensor(new[] { false, true }, new long[] { 1, 2 })));
        // An added mask of log 3 for the second key: weights e and 3.
        Numbers.Same([(10 * Math.E + 60) / (Math.E + 3)], F.scaled_dot_product_attention(query, key, value, Numbers.Real([0, Math.Log(3)], 1, 2)));
    }

    [Fact]
    public void Attention_Causal_EqualsTheMaskAndHidesTheFuture()
    {
        using var scope = NewDisposeScope();
        var (query, key, value) = (Numbers.Spread(0, 2, 3, 4), Numbers.Spread(1, 2, 3, 4), Numbers.Spread(2, 2, 3, 4));
        foreach (var leaf in new[] { query, key, value }) leaf.requires_grad_();
        var mask = tensor(new[] { true, false, false, true, true, false, true, true, true }, new long[] { 3, 3 });

        var causal = F.scaled_dot_product_attention(query, key, value, is_casual: true);

        Numbers.Same(F.scaled_dot_product_attention(query, key, value, mask), causal);
        Numbers.Same(value[TensorIndex.Colon, 0], causal[TensorIndex.Colon, 0]);
        Numbers.GradientsMatch(() => F.scaled_dot_product_attention(query, key, value, is_casual: true).square().sum(), query, key, value);
        Assert.Throws<ArgumentException>(() => F.scaled_dot_product_attention(query, key, value, mask, 0, true));
    }

    [Fact]
    public void Attention_RowThatSeesNothing_IsZeroWithZeroGradient()
    {
        using var scope = NewDisposeScope();
        var (query, key, value) = (Numbers.Spread(0, 2, 4).requires_grad_(), Numbers.Spread(1, 2, 4).requires_grad_(), Numbers.Spread(2, 2, 4).requires_grad_());
        var mask = tensor(new[] { false, false, true, true }, new long[] { 2, 2 });

        var result = F.scaled_dot_product_attention(query, key, value, mask);
        result.sum().backward();

        Numbers.Same(new double[4], result[0]);
        Numbers.Same(new double[4], query.grad![0]);
        Assert.All(Numbers.Of(key.grad!), number => Assert.True(double.IsFinite(number)));
        Assert.Contains(Numbers.Of(query.grad![1]), number => number != 0);
    }

    [Fact]
    public void Attention_LeavesOnlyItsResult()
    {
        using var query = Numbers.Spread(0, 2, 4);
        using var mask = ones(2, 2, @bool);
        long before = Numbers.LiveTensors();

        using (F.scaled_dot_product_attention(query, query, query, mask)) Assert.Equal(before + 1, Numbers.LiveTensors());
    }

    [Fact]
    public void Shapes_OneHotPadNormalizeCosine_EqualHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();

        Assert.Equal([0, 0, 1, 1, 0, 0], Numbers.Of(F.one_hot(tensor(new long[] { 2, 0 }), 3)));
        Numbers.Same([7, 1, 2, 7, 7], F.pad(Numbers.Real([1, 2]), (1, 2), value: 7));
        Numbers.Same([2, 1, 2, 3, 2], F.pad(Numbers.Real([1, 2, 3], 1, 3), [1, 1], PaddingModes.Reflect).reshape(-1));
        Numbers.Same([0.6, 0.8, 0, 0], F.normalize(Numbers.Real([3, 4, 0, 0], 2, 2)));
        Numbers.Same([24.0 / 25], F.cosine_similarity(Numbers.Real([3, 4], 1, 2), Numbers.Real([4, 3], 1, 2)));
        Numbers.Same([3 - 1, 3], F.linear(Numbers.Real([1, 2], 1, 2), Numbers.Real([1, 1, 1, 1], 2, 2), Numbers.Real([-1, 0])));
        double root = Math.Sqrt(1 + 1e-5);
        Numbers.Same([-1 / root, 1 / root], F.layer_norm(Numbers.Real([4, 6]), [2]));
    }

    [Fact]
    public void Dropout_ByDefault_IsOn()
    {
        using var scope = NewDisposeScope();
        manual_seed(2);

        Assert.Contains(0.0, Numbers.Of(F.dropout(ones(100))));
        Assert.DoesNotContain(0.0, Numbers.Of(F.dropout(ones(100), training: false)));
    }
}
