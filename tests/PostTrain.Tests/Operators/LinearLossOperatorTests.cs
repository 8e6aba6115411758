using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Supervised;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class LinearLossOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Result_OfThreeTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // π = ½, ¼, ¼: the loss 3·log 4, its gradient 3·(π − δ) of the logits, which are W·h with h = 1.
        var weight = tensor(new[] { Math.Log(2), 0, 0 }).view(3, 1).requires_grad_(true);
        var states = ones(1, 1, dtype: ScalarType.Float64).requires_grad_(true);
        var (loss, rows) = LinearLossOperator.Run(states, weight, tensor(new long[] { 1 }), tensor(new[] { 3.0 }));
        loss.backward();
        Assert.Equal(3 * Math.Log(4), loss.ToDouble(), 14);
        TensorAssert.Close([Math.Log(4)], rows.Losses, 1e-15);
        TensorAssert.Close([0], rows.Hits, 0);
        TensorAssert.Close([1.5, -2.25, 0.75], weight.grad!.view(-1), 1e-14);
        TensorAssert.Close([1.5 * Math.Log(2)], states.grad!.view(-1), 1e-14);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperators(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var (rows, width, vocabulary) in new[] { (1L, 1L, 1L), (1, 3, 2), (5, 7, 9), (13, 16, 33), (7, 5, 300) })
        foreach (var chunk in new[] { 1, 4, 100 })
        {
            using var scope = NewDisposeScope();
            seed++;
            var states = KernelFuzz.Make(seed, type, strided, 1, 0, rows, width);
            var weight = KernelFuzz.Make(seed, type, strided, 1, 0, vocabulary, width);
            var targets = Numbers.Ids(seed, (int)vocabulary, rows);
            var factors = Numbers.Uniform(seed, 9, rows).to_type(type);
            OperatorCheck.Agree(
                x => LinearLossOperator.Run(x[0], x[1], targets, factors, chunk).Loss,
                x => LinearLossOperator.Reference(x[0], x[1], targets, factors),
                type,
                states,
                weight
            );
        }
    }

    [Fact]
    public void SecondDerivatives_AndOwnership()
    {
        using var scope = NewDisposeScope();
        var states = Numbers.Uniform(1, 1, 6, 5);
        var weight = Numbers.Uniform(2, 1, 40, 5);
        var targets = Numbers.Ids(3, 40, 6);
        var factors = Numbers.Uniform(4, 1, 6);
        Tensor Run(Tensor[] x) => LinearLossOperator.Run(x[0], x[1], targets, factors, 4).Loss;
        OperatorCheck.AgreeTwice(Run, x => LinearLossOperator.Reference(x[0], x[1], targets, factors), states, weight);
        var error = Assert.Throws<ArgumentException>(() =>
            LinearLossOperator.Run(states, weight, tensor(new long[] { 0, 1, 2, 3, 4, 40 }), factors)
        );
        Assert.Contains("targets holds 40", error.Message, StringComparison.Ordinal);

        Tensor Wide(Tensor[] x)
        {
            var (loss, rows) = LinearLossOperator.Run(x[0], x[1], targets, factors, 4);
            rows.Losses.Dispose();
            rows.Hits.Dispose();
            return loss;
        }
        OperatorCheck.LeavesNothing(Wide, states, weight);
    }

    [Fact]
    public void Bfloat16_RoundsProductsAndNothingElse()
    {
        using var scope = NewDisposeScope();
        var states = Numbers.Uniform(1, 1, 37, 16).to_type(ScalarType.BFloat16).requires_grad_(true);
        var weight = Numbers.Uniform(2, 1, 50, 16).to_type(ScalarType.BFloat16).requires_grad_(true);
        var targets = Numbers.Ids(3, 50, 37);
        var factors = Numbers.Uniform(4, 1, 37).to_type(ScalarType.Float32);
        Assert.True(LinearLossOperator.Takes(states, weight, targets));
        var (loss, rows) = LinearLossOperator.Run(states, weight, targets, factors, chunk: 8);
        loss.backward();
        var (ofStates, ofWeight) = (states.grad!.clone(), weight.grad!.clone());
        Assert.Equal((ScalarType.Float32, ScalarType.BFloat16), (loss.dtype, ofWeight.dtype));
        (states.grad, weight.grad) = (null, null);
        var wanted = LinearLossOperator.Reference(states, weight, targets, factors);
        wanted.backward();
        TensorAssert.Close(wanted, loss, 1e-4);
        TensorAssert.Close(wanted, (rows.Losses * factors).sum(), 1e-4);
        // One rounding of the logits' gradient and one of the result: 2⁻⁸ each of the greatest terms.
        foreach (var (found, expected) in new[] { (ofStates, states.grad!), (ofWeight, weight.grad!) })
        {
            var (a, b) = (found.to_type(ScalarType.Float32), expected.to_type(ScalarType.Float32));
            Assert.True((a - b).abs().max().ToDouble() <= b.abs().max().ToDouble() / 64, $"{(a - b).abs().max().ToDouble()}");
        }
    }

    [Fact]
    public void LossOfHiddenStates_IsThatOfTheirLogits_ForEveryAggregation()
    {
        LossAggregation[] aggregations =
        [
            LossAggregation.TokenMean,
            LossAggregation.TokenSum,
            LossAggregation.SequenceMean,
            LossAggregation.SequenceSum(7),
            LossAggregation.Of("later", mask => mask * arange(mask.size(1)), mask => mask.size(0)),
        ];
        foreach (var aggregation in aggregations)
        foreach (double? denominator in new double?[] { null, 11 })
        {
            using var scope = NewDisposeScope();
            var hidden = Numbers.Uniform(1, 1, 3, 8, 6).requires_grad_(true);
            var weight = Numbers.Uniform(2, 1, 20, 6).requires_grad_(true);
            var targets = Numbers.Ids(3, 20, 3, 8);
            var mask = KernelFuzz.Holes(4, ScalarType.Float64, false, 3, 8);
            var found = SupervisedLosses.OfHidden(hidden, weight, targets, mask, aggregation, denominator)!;
            found.Loss.backward();
            var (ofHidden, ofWeight) = (hidden.grad!.clone(), weight.grad!.clone());
            (hidden.grad, weight.grad) = (null, null);
            var wanted = SupervisedLosses.NegativeLogLikelihood(hidden.matmul(weight.t()), targets, mask, aggregation, denominator);
            wanted.Loss.backward();
            TensorAssert.Close(wanted.Loss, found.Loss, 1e-12);
            TensorAssert.Close(wanted.TokenLosses, found.TokenLosses, 1e-12);
            TensorAssert.Close(wanted.Accuracy, found.Accuracy, 1e-12);
            TensorAssert.Close(hidden.grad!, ofHidden, 1e-12);
            TensorAssert.Close(weight.grad!, ofWeight, 1e-12);
        }
    }
}
