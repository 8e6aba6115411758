using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PostTrain.Tests.Support;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Engine;

/// <summary>Faults and surprises of TorchSharp that the library works around: a test that fails here says that the workaround can
/// go.</summary>
public sealed class PackageFaultTests
{
    // Workaround: Adapters/Layers/AdapterTree.
    [Fact]
    public void Sequential_IgnoresAModuleThatIsRegisteredLater()
    {
        using var scope = NewDisposeScope();
        using var model = nn.Sequential(("layer", nn.Linear(2, 2)));
        using var later = nn.Linear(2, 2);
        model.register_module("later", later);
        model.eval();
        Assert.Equal(["layer.weight", "layer.bias"], model.named_parameters().Select(item => item.name));
        Assert.Equal(["layer"], model.named_children().Select(item => item.name));
        Assert.True(later.training);
        Assert.Throws<InvalidOperationException>(() => model.register_module("later", later));
    }

    // Workaround: LstmPromptEncoder.Rows always records gradients.
    [Fact]
    public void Lstm_InSinglePrecision_RoundsOtherwiseWithoutGradients()
    {
        using var scope = NewDisposeScope();
        using var lstm = nn.LSTM(16, 8, 2, batchFirst: true, bidirectional: true);
        using (no_grad())
        {
            foreach (var (parameter, seed) in lstm.parameters().Select((parameter, seed) => (parameter, seed)))
                parameter.copy_(Numbers.Uniform(seed + 1, 0.5, parameter.shape));
        }

        var input = Numbers.Uniform(99, 1, 1, 6, 16).to_type(ScalarType.Float32);
        var with = lstm.call(input).Item1.detach();
        Tensor without,
            again;
        using (no_grad())
        {
            without = lstm.call(input).Item1;
            using var inner = enable_grad();
            again = lstm.call(input).Item1;
        }

        Assert.InRange((with - without).abs().max().ToDouble(), double.Epsilon, 1e-6);
        TensorAssert.Same(with, again);
    }

    // Workaround: Numerics/NativeTensor, for weights.
    [Fact]
    public void Tensor_OfAnArray_LiesInManagedMemory_AtAnyAddress()
    {
        using var scope = NewDisposeScope();
        var made = Enumerable.Range(1, 40).Select(size => tensor(new float[size])).ToArray();
        Assert.Contains(made, item => Address(item) % 64 != 0);
        Assert.All(made, item => Assert.Equal(0, Address(item.clone()) % 64));

        static nint Address(Tensor item) => Unsafe.ByteOffset(ref Unsafe.NullRef<byte>(), ref MemoryMarshal.GetReference(item.bytes));
    }

    // Workaround: WeightSource.Release, where a model cannot be completed.
    [Fact]
    public void Linear_TakesItsParametersOutOfTheScopeAtOnce()
    {
        Parameter weight;
        using (NewDisposeScope())
        {
            weight = new Parameter(ones(2, 2));
            _ = nn.Linear(weight);
        }

        Assert.False(weight.IsInvalid);
        weight.Dispose();
    }

    // Workaround: Numerics takes variances from the mean, and tests square std.
    [Fact]
    public void Var_WithoutCorrection_IsCorrectedAllTheSame()
    {
        using var scope = NewDisposeScope();
        var values = tensor(new[] { 1.0, 2, 3 });
        Assert.Equal(1, values.var(unbiased: false).ToDouble(), 1e-15);
        Assert.Equal(2.0 / 3, values.std(unbiased: false).square().ToDouble(), 1e-15);
    }

    // Workaround: an unused gradient is told by IsInvalid, never by null.
    [Fact]
    public void Grad_OfAnUnusedInput_IsAnInvalidTensor()
    {
        using var scope = NewDisposeScope();
        var used = ones(2, requires_grad: true);
        var unused = ones(2, requires_grad: true);
        var gradients = autograd.grad([used.sum()], [used, unused], allow_unused: true);
        Assert.False(gradients[0].IsInvalid);
        Assert.True(gradients[1].IsInvalid);
    }
}
