using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class LinearOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Result_OfTwoRows_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2, 3, 4 }).view(2, 2).requires_grad_(true);
        var weight = tensor(new[] { 1.0, 0, 2, 1, -1, 3 }).view(3, 2).requires_grad_(true);
        var bias = tensor(new[] { 10.0, 20, 30 }).requires_grad_(true);
        var y = LinearOperator.Run(x, weight, bias);
        TensorAssert.Close([11, 24, 35, 13, 30, 39], y.view(-1), 0);
        y.backward([tensor(new[] { 1.0, 0, 0, 0, 1, 2 }).view(2, 3)]);
        TensorAssert.Close([1, 0, 0, 7], x.grad!.view(-1), 0);
        TensorAssert.Close([1, 2, 3, 4, 6, 8], weight.grad!.view(-1), 0);
        TensorAssert.Close([1, 1, 2], bias.grad!, 0);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperator(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var rows in new[] { 1L, 2, 3, 4, 5, 97, 131 })
        foreach (var (width, outputs) in new[] { (1L, 1L), (3, 7), (8, 8), (17, 9), (33, 140), (64, 16) })
        {
            using var scope = NewDisposeScope();
            seed++;
            var x = KernelFuzz.Make(seed, type, strided, 1, 0, 1, rows, width);
            var weight = Numbers.Uniform(seed + 1, 1, outputs, width).to_type(type);
            var bias = Numbers.Uniform(seed + 2, 1, outputs).to_type(type);
            OperatorCheck.Agree(
                given => LinearOperator.Run(given[0], given[1], given[2]),
                given => nn.functional.linear(given[0], given[1], given[2]),
                type,
                x,
                weight,
                bias
            );
        }
    }

    [Fact]
    public void SecondDerivatives_Threads_AndOwnership()
    {
        using var scope = NewDisposeScope();
        static Tensor Run(Tensor[] x) => LinearOperator.Run(x[0], x[1], null);
        Tensor[] small = [Numbers.Uniform(1, 1, 3, 5), Numbers.Uniform(2, 1, 4, 5)];
        OperatorCheck.AgreeTwice(Run, x => nn.functional.linear(x[0], x[1]), small);
        OperatorCheck.IsTheSameForTwoThreads(Run, Numbers.Uniform(3, 1, 300, 70), Numbers.Uniform(4, 1, 200, 70));
        OperatorCheck.LeavesNothing(Run, small);
    }

    [Fact]
    public void ARow_DoesNotDependOnTheRowsBesideIt()
    {
        using var scope = NewDisposeScope();
        Tensor x = Numbers.Uniform(5, 1, 133, 200).to_type(ScalarType.Float32),
            weight = Numbers.Uniform(6, 1, 210, 200).to_type(ScalarType.Float32);
        var all = LinearOperator.Run(x, weight, null);
        foreach (var (start, count) in new[] { (0L, 1L), (5, 2), (17, 3), (60, 73) })
            TensorAssert.Same(all.narrow(0, start, count).contiguous(), LinearOperator.Run(x.narrow(0, start, count), weight, null));
    }
}
