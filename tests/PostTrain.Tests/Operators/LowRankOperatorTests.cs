using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class LowRankOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Result_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // A x = 1·3 + 2·4 = 11; s·B·11 = ½·(2, −4)·11 = (11, −22).
        var leaf = tensor(new[] { 10.0, 20 }).view(1, 2).requires_grad_(true);
        var result = LowRankOperator.Run(
            leaf,
            tensor(new[] { 3.0, 4 }).view(1, 2),
            tensor(new[] { 1.0, 2 }).view(1, 2),
            tensor(new[] { 2.0, -4 }).view(2, 1),
            0.5
        );
        TensorAssert.Close([21, -2], result, 1e-14);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperators(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var (inputs, outputs, rank) in new[] { (1L, 1L, 1L), (5, 3, 2), (16, 20, 8) })
        foreach (var rows in new long[] { 1, 7 })
        {
            using var scope = NewDisposeScope();
            seed++;
            OperatorCheck.Agree(
                x => Records(x) ? LowRankOperator.Run(x[0], x[1], x[2], x[3], 1.7) : Reference(x),
                Reference,
                type,
                Inputs(seed, type, strided, rows, inputs, outputs, rank)
            );
        }
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences_AndOfTheSecondOrder()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(3, ScalarType.Float64, false, 3, 4, 5, 2);
        GradientCheck.Run(x => LowRankOperator.Run(x[0], x[1], x[2], x[3], 1.7).sin().sum(), inputs);
        OperatorCheck.AgreeTwice(x => LowRankOperator.Run(x[0], x[1], x[2], x[3], 1.7), Reference, inputs);
    }

    [Fact]
    public void FrozenParts_GetNoGradient_AndNothingStaysAlive()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(4, ScalarType.Float32, false, 3, 4, 5, 2);
        inputs[3].requires_grad_(true);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        using (NewDisposeScope())
            LowRankOperator.Run(inputs[0], inputs[1], inputs[2], inputs[3], 2).sum().backward();
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.Null(inputs[0].grad);
        Assert.Null(inputs[1].grad);
        Assert.Null(inputs[2].grad);
        using var expected = ones(5, 1).mm((inputs[1].view(-1, 4).mm(inputs[2].t()) * 2).sum(0, true));
        TensorAssert.Close(expected, inputs[3].grad!, 1e-5);
    }

    private static bool Records(Tensor[] x) => is_grad_enabled() && Array.Exists(x, input => input.requires_grad);

    private static Tensor Reference(Tensor[] x) => LowRankOperator.Reference(x[0], x[1], x[2], x[3], 1.7);

    private static Tensor[] Inputs(int seed, ScalarType type, bool strided, long rows, long inputs, long outputs, long rank) =>
        [
            KernelFuzz.Make(10 * seed, type, strided, 1, 0, 1, rows, outputs),
            KernelFuzz.Make(10 * seed + 1, type, strided, 1, 0, 1, rows, inputs),
            KernelFuzz.Make(10 * seed + 2, type, strided, 1, 0, rank, inputs),
            KernelFuzz.Make(10 * seed + 3, type, strided, 1, 0, outputs, rank),
        ];
}
