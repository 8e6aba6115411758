using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class ThinProductTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Product_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        var product = ThinProduct.Run(tensor(new[] { 1.0, 2 }).view(1, 2), tensor(new[] { 3.0, 4, -1, 0.5 }).view(2, 2));
        TensorAssert.Close([11, 0], product.view(-1), 0);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Product_IsThatOfTheTensorOperators(ScalarType type, bool strided)
    {
        foreach (
            var (few, width, many) in new[] { (1L, 1L, 1L), (8, 24, 130), (5, 7, 64), (32, 600, 65), (33, 5, 9), (8, 16, 0), (3, 0, 4) }
        )
        {
            using var scope = NewDisposeScope();
            Tensor m = KernelFuzz.Make(1, type, strided, 1, 0, few, width),
                x = KernelFuzz.Make(2, type, strided, 1, 0, many, width);
            var expected = m.to_type(ScalarType.Float64).mm(x.to_type(ScalarType.Float64).t());
            TensorAssert.Close(expected, ThinProduct.Run(m, x).to_type(ScalarType.Float64), type == ScalarType.Float32 ? 1e-4 : 1e-12);
        }
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
            [
                ThinProduct.Run(
                    KernelFuzz.Make(1, ScalarType.Float32, false, 1, 0, 8, 240),
                    KernelFuzz.Make(2, ScalarType.Float32, false, 1, 0, 1000, 240)
                ),
            ]
        );
}
