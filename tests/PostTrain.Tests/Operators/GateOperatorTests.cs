using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class GateOperatorTests
{
    public static TheoryData<ScalarType, bool> Layouts => OperatorCheck.Layouts;

    [Fact]
    public void Result_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // σ(log 3) = 3/4; the gate is the first half.
        var x = tensor(new[] { Math.Log(3), -Math.Log(3), 8, 5 }).view(1, 4);
        TensorAssert.Close([6 * Math.Log(3), -1.25 * Math.Log(3)], GateOperator.Run(x, null, new GateKind(false, true)), 1e-15);
        TensorAssert.Close(
            [0.0, 4],
            GateOperator.Run(tensor(new[] { -1e4, 4 }), ones(2, dtype: ScalarType.Float64), new GateKind(true, false)),
            1e-3
        );
        TensorAssert.Close([0.0], GateOperator.Run(tensor(new[] { -800.0 }), null, new GateKind(false, false)), 1e-12);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Operator_IsTheTensorOperators(ScalarType type, bool strided)
    {
        var seed = 0;
        foreach (var width in new long[] { 1, 2, 3, 8, 13, 64, 300 })
        foreach (var rows in new long[] { 1, 5, 70 })
        foreach (var gelu in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            seed++;
            var x = KernelFuzz.Make(seed, type, strided, seed % 5 == 0 ? 40 : 4, 0, rows, width);
            var u = KernelFuzz.Make(seed + 500, type, strided, 2, 0.2, rows, width);
            var both = KernelFuzz.Make(seed + 900, type, strided, 4, 0, rows, 2 * width);
            Check(new GateKind(gelu, false), type, x);
            Check(new GateKind(gelu, false), type, x, u);
            Check(new GateKind(gelu, true), type, both);
        }
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences_AndOfTheSecondOrder()
    {
        using var scope = NewDisposeScope();
        var (x, u) = (Numbers.Uniform(1, 2, 3, 5), Numbers.Uniform(2, 1, 3, 5));
        foreach (var gelu in new[] { false, true })
        {
            GradientCheck.Run(inputs => GateOperator.Run(inputs[0], inputs[1], new GateKind(gelu, false)).sin().sum(), x, u);
            GradientCheck.Run(
                inputs => GateOperator.Run(inputs[0], null, new GateKind(gelu, true)).sin().sum(),
                Numbers.Uniform(3, 2, 2, 6)
            );
            OperatorCheck.AgreeTwice(Run(new GateKind(gelu, false)), Reference(new GateKind(gelu, false)), x, u);
            OperatorCheck.AgreeTwice(Run(new GateKind(gelu, true)), Reference(new GateKind(gelu, true)), Numbers.Uniform(3, 2, 2, 6));
            OperatorCheck.AgreeTwice(
                Run(new GateKind(gelu, true)),
                Reference(new GateKind(gelu, true)),
                Numbers.Uniform(3, 2, 2, 6).to_type(ScalarType.BFloat16)
            );
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Bits_DoNotDependOnThreads_AndNothingStaysAlive(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Uniform(1, 2, 900, 172).to_type(type);
        var u = Numbers.Uniform(2, 1, 900, 172).to_type(type);
        OperatorCheck.IsTheSameForTwoThreads(Run(new GateKind(false, false)), x, u);
        OperatorCheck.IsTheSameForTwoThreads(Run(new GateKind(true, true)), x);
        OperatorCheck.LeavesNothing(Run(new GateKind(false, false)), x, u);
    }

    private static void Check(GateKind kind, ScalarType type, params Tensor[] inputs)
    {
        OperatorCheck.Agree(Run(kind), Reference(kind), type, inputs);
        if (type == ScalarType.BFloat16)
            OperatorCheck.IsTheRoundedSingle(Run(kind), inputs);
    }

    private static Func<Tensor[], Tensor> Run(GateKind kind) => x => GateOperator.Run(x[0], x.Length > 1 ? x[1] : null, kind);

    private static Func<Tensor[], Tensor> Reference(GateKind kind) => x => GateOperator.Reference(x[0], x.Length > 1 ? x[1] : null, kind);
}
