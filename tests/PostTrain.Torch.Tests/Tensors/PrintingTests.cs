using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class PrintingTests
{
    private static Tensor X => tensor(new float[,] { { 1, 2.5f }, { -0.125f, 1e6f } });

    [Fact]
    public void Text_OfEachStyle()
    {
        Assert.Equal("[2x2], type = Float32, device = cpu", X.ToString());
        Assert.Equal("[2x2], type = Float32, device = cpu", X.ToString(TorchSharp.TensorStringStyle.Metadata));
        Assert.Equal("[[1, 2.5],\n [-0.125, 1e+06]]", X.ToString(numpy));
        Assert.Equal("[2x2], type = Float32, device = cpu\n1 2.5\n-0.125 1e+06", X.jlstr());
        Assert.Equal("[2x2], type = Float32, device = cpu, value = {{1, 2.5}, {-0.125, 1e+06}}", X.cstr());
        Assert.Equal("[], type = Int32, device = cpu", tensor(3).ToString());
        Assert.Equal("3", tensor(3).npstr());
        Assert.Equal("[true, false]", tensor(new[] { true, false }).npstr());
        Assert.Equal("[]", zeros(0).npstr());
        Assert.Equal("[0.1]", tensor(new float[] { 0.1f }).npstr("R"));
        Assert.Equal("[0.5]", tensor(new float[] { 0.5f }).bfloat16().npstr());
    }

    [Fact]
    public void Text_OfManyElements_IsShortened() =>
        Assert.Equal("[0, 1, 2, ..., 1997, 1998, 1999]", arange(2000).npstr());
}
