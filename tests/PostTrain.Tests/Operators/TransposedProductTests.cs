using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class TransposedProductTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Product_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        var product = TransposedProduct.Right(tensor(new[] { 1.0, 2 }).view(1, 2), tensor(new[] { 3.0, 4, -1, 0.5 }).view(2, 2));
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
            TensorAssert.Close(
                expected,
                TransposedProduct.Right(m, x).to_type(ScalarType.Float64),
                type == ScalarType.Float32 ? 1e-4 : 1e-12
            );
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void SumOfALeftProduct_IsThatOfTheTensorOperators(ScalarType type, bool strided)
    {
        foreach (var (m, n, k) in new[] { (1L, 1L, 1L), (6, 16, 256), (13, 17, 300), (200, 37, 513), (7, 5, 0), (0, 3, 4), (5, 0, 4) })
        {
            using var scope = NewDisposeScope();
            Tensor a = KernelFuzz.Make(1, type, strided, 1, 0, k, m),
                b = KernelFuzz.Make(2, type, strided, 1, 0, k, n),
                c = KernelFuzz.Make(3, type, false, 1, 0, m, n);
            var expected = c.to_type(ScalarType.Float64) + a.to_type(ScalarType.Float64).t().mm(b.to_type(ScalarType.Float64));
            TransposedProduct.AddLeft(c, a, b);
            TensorAssert.Close(expected, c.to_type(ScalarType.Float64), type == ScalarType.Float32 ? 1e-4 : 1e-12);
        }
    }

    [Fact]
    public void Threads_ChangeNoBitOfASumOfALeftProduct() =>
        KernelFuzz.SameBits(() =>
        {
            var c = KernelFuzz.Make(3, ScalarType.Float32, false, 1, 0, 500, 300);
            TransposedProduct.AddLeft(
                c,
                KernelFuzz.Make(1, ScalarType.Float32, false, 1, 0, 400, 500),
                KernelFuzz.Make(2, ScalarType.Float32, false, 1, 0, 400, 300)
            );
            return [c];
        });

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
            [
                TransposedProduct.Right(
                    KernelFuzz.Make(1, ScalarType.Float32, false, 1, 0, 8, 240),
                    KernelFuzz.Make(2, ScalarType.Float32, false, 1, 0, 1000, 240)
                ),
            ]
        );
}
