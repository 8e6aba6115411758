using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class MixedLowRankOperatorTests
{
    [Fact]
    public void Result_IsWorkedByHand_AndRoundedOnce()
    {
        using var scope = NewDisposeScope();
        // A x = 1·4 + 2·6 = 16, s·16 = 8, and 8·B = (16, 1 + 1/256). 1 + 1/256 alone would be rounded to 1, and 1 − 1 be 0.
        var result = LowRankOperator.Run(
            tensor(new[] { 10f, -1 }).view(1, 2).to_type(ScalarType.BFloat16).requires_grad_(true),
            tensor(new[] { 4f, 6 }).view(1, 2).to_type(ScalarType.BFloat16),
            tensor(new[] { 1f, 2 }).view(1, 2),
            tensor(new[] { 2f, (1 + 1f / 256) / 8 }).view(2, 1),
            0.5
        );
        Assert.Equal(ScalarType.BFloat16, result.dtype);
        TensorAssert.Close([26, 1.0 / 256], result, 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Operator_IsTheTensorOperators(bool strided)
    {
        var seed = 0;
        foreach (var (inputs, outputs, rank) in new[] { (1L, 1L, 1L), (5, 3, 2), (16, 20, 8), (64, 172, 8) })
        foreach (var rows in new long[] { 1, 7, 400 })
        {
            using var scope = NewDisposeScope();
            seed++;
            var all = Inputs(seed, strided, rows, inputs, outputs, rank);
            var upstream = Numbers.Uniform(77, 1, 1, rows, outputs).to_type(ScalarType.BFloat16);
            var (value, gradients) = Pass(Run, all, upstream);
            var (expected, wanted) = Pass(Reference, all, upstream);
            TensorAssert.Close(expected, value, OperatorCheck.Tolerance(ScalarType.BFloat16), "value");
            // Of y the gradient itself; of x in bfloat16; of A and B sums over the rows in float32.
            TensorAssert.Same(wanted[0], gradients[0], "gradient of y");
            TensorAssert.Close(wanted[1], gradients[1], OperatorCheck.Tolerance(ScalarType.BFloat16), "gradient of x");
            TensorAssert.Close(wanted[2], gradients[2], 1e-4, "gradient of A");
            TensorAssert.Close(wanted[3], gradients[3], 1e-4, "gradient of B");
            Assert.Equal(all.Select(input => input.dtype), gradients.Select(gradient => gradient.dtype));
        }
    }

    [Fact]
    public void SecondGradients_AreThoseOfTheTensorOperators()
    {
        using var scope = NewDisposeScope();
        OperatorCheck.AgreeTwice(Run, Reference, Inputs(3, false, 3, 4, 5, 2));
    }

    [Fact]
    public void FrozenParts_GetNoGradient_AndNothingStaysAlive()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(4, false, 3, 4, 5, 2);
        OperatorCheck.LeavesNothing(x => x[3].requires_grad ? Run(x) : Reference(x), inputs);
        inputs[3].requires_grad_(true);
        using (NewDisposeScope())
            Run(inputs).sum().backward();
        Assert.Null(inputs[0].grad);
        Assert.Null(inputs[1].grad);
        Assert.Null(inputs[2].grad);
        var x = inputs[1].reshape(-1, 4).to_type(ScalarType.Float32);
        TensorAssert.Close(ones(5, 1).mm((x.mm(inputs[2].t()) * 1.7).sum(0, true)), inputs[3].grad!, 1e-5);
    }

    [Fact]
    public void OtherTypes_AreNotTaken()
    {
        using var scope = NewDisposeScope();
        var x = Inputs(5, false, 3, 4, 5, 2);
        Assert.False(LowRankOperator.Takes(x[0], x[1], x[2], x[3]));
        x[2].requires_grad_(true);
        Assert.True(LowRankOperator.Takes(x[0], x[1], x[2], x[3]));
        Assert.False(LowRankOperator.Takes(x[0], x[1].to_type(ScalarType.Float32), x[2], x[3]));
        Assert.False(LowRankOperator.Takes(x[0], x[1], x[2], x[3].to_type(ScalarType.BFloat16)));
        using var period = Fused.Reference();
        Assert.False(LowRankOperator.Takes(x[0], x[1], x[2], x[3]));
    }

    private static (Tensor Value, Tensor[] Gradients) Pass(Func<Tensor[], Tensor> run, Tensor[] inputs, Tensor upstream)
    {
        var leaves = Array.ConvertAll(inputs, input => input.detach().clone().requires_grad_(true));
        var value = run(leaves);
        value.backward([upstream]);
        return (value, Array.ConvertAll(leaves, leaf => leaf.grad!));
    }

    private static Tensor Run(Tensor[] x) => LowRankOperator.Run(x[0], x[1], x[2], x[3], 1.7);

    private static Tensor Reference(Tensor[] x) => LowRankOperator.Reference(x[0], x[1], x[2], x[3], 1.7);

    private static Tensor[] Inputs(int seed, bool strided, long rows, long inputs, long outputs, long rank) =>
        [
            KernelFuzz.Make(10 * seed, ScalarType.BFloat16, strided, 1, 0, 1, rows, outputs),
            KernelFuzz.Make(10 * seed + 1, ScalarType.BFloat16, strided, 1, 0, 1, rows, inputs),
            KernelFuzz.Make(10 * seed + 2, ScalarType.Float32, strided, 1, 0, rank, inputs),
            KernelFuzz.Make(10 * seed + 3, ScalarType.Float32, strided, 1, 0, outputs, rank),
        ];
}
