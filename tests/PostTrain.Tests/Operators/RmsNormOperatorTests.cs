using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class RmsNormOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => OperatorCheck.Layouts;

    [Fact]
    public void Result_OfTwoNumbers_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // mean(x²) = (1 + 49)/2 = 25; with w = (2, 3): (1/5·2, 7/5·3), and with 1 + w (3/5, 28/5).
        var (x, w) = (tensor(new[] { 1.0, 7 }), tensor(new[] { 2.0, 3 }));
        TensorAssert.Close([0.4, 4.2], RmsNormOperator.Run(x, w, 0, false), 1e-15);
        TensorAssert.Close([0.6, 5.6], RmsNormOperator.Run(x, w, 0, true), 1e-15);
        TensorAssert.Close([1.0 / 13, 1.5 * 7 / 6.5], RmsNormOperator.Run(x, tensor(new[] { 0.5, 1.5 }), 17.25, false), 1e-12);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperators(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var width in new long[] { 1, 3, 4, 7, 8, 9, 16, 33, 64, 172 })
        foreach (var rows in new long[] { 1, 3, 64, 131 })
        {
            using var scope = NewDisposeScope();
            seed++;
            var x = KernelFuzz.Make(seed, type, strided, 3, 0.5, 1, rows, width);
            var w = KernelFuzz.Make(seed + 500, type, strided, 1, 1, width);
            foreach (var offset in new[] { false, true })
            {
                OperatorCheck.Agree(
                    inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-5, offset),
                    inputs => RmsNormOperator.Reference(inputs[0], inputs[1], 1e-5, offset),
                    type,
                    x,
                    w
                );
                if (type == ScalarType.BFloat16)
                    OperatorCheck.IsTheRoundedSingle(inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-5, offset), x, w);
            }
        }
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences_AndOfTheSecondOrder()
    {
        using var scope = NewDisposeScope();
        var (x, w) = (Numbers.Uniform(1, 2, 3, 5), Numbers.Uniform(2, 1, 5));
        foreach (var offset in new[] { false, true })
        {
            GradientCheck.Run(inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-3, offset).sin().sum(), x, w);
            OperatorCheck.AgreeTwice(
                inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-3, offset),
                inputs => RmsNormOperator.Reference(inputs[0], inputs[1], 1e-3, offset),
                x,
                w
            );
            OperatorCheck.AgreeTwice(
                inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-3, offset),
                inputs => RmsNormOperator.Reference(inputs[0], inputs[1], 1e-3, offset),
                x.to_type(ScalarType.BFloat16),
                w.to_type(ScalarType.BFloat16)
            );
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Bits_DoNotDependOnThreads_AndNothingStaysAlive(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (x, w) = (Numbers.Uniform(1, 2, 3000, 130).to_type(type), Numbers.Uniform(2, 1, 130).to_type(type));
        OperatorCheck.IsTheSameForTwoThreads(inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-5, false), x, w);
        OperatorCheck.LeavesNothing(inputs => RmsNormOperator.Run(inputs[0], inputs[1], 1e-5, false), x, w);
    }

    [Fact]
    public void Nan_StaysInItsRow()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { double.NaN, 1, 2, 3 }).view(2, 2);
        var y = RmsNormOperator.Run(x, ones(2, dtype: ScalarType.Float64), 0, false);
        Assert.True(double.IsNaN(y[0, 0].ToDouble()) && double.IsNaN(y[0, 1].ToDouble()));
        TensorAssert.Finite(y[1]);
    }
}
