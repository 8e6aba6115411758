using PostTrain.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

public sealed class KernelTests
{
    [Fact]
    public void Attach_GivesEachInputItsGradient_TimesWhatComesFromAbove()
    {
        using var scope = NewDisposeScope();
        var (x, y, frozen) = (zeros(3).requires_grad_(true), zeros(2, 2).requires_grad_(true), zeros(1));
        var (forX, forY) = (tensor(new float[] { 1, 2, 3 }), ones(2, 2));
        var loss = Kernel.Attach(1.5, (x, forX), (y, forY), (frozen, ones(1)));
        Assert.Equal(1.5, loss.ToDouble());
        (loss * loss * 2).backward();
        TensorAssert.Close([6, 12, 18], x.grad!, 0);
        TensorAssert.Close([6, 6, 6, 6], y.grad!, 0);
    }

    [Fact]
    public void Attach_OfAnUnusedResult_AddsNothing()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2).requires_grad_(true);
        var attached = Kernel.Attach(1, (x, ones(2)));
        (x.sum() + attached.detach()).backward();
        TensorAssert.Close([1, 1], x.grad!, 0);
        Assert.False(Kernel.Attach(1, (zeros(2), ones(2))).requires_grad);
    }

    [Fact]
    public void Attach_BackwardOutsideTheScopeOfTheGradients_Works()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2).requires_grad_(true);
        Tensor loss;
        using (var inner = NewDisposeScope())
            loss = Kernel.Attach(1, (x, ones(2) * 3)).MoveToOuterDisposeScope();
        loss.backward();
        TensorAssert.Close([3, 3], x.grad!, 0);
    }

    [Fact]
    public void Attach_RefusesShapesThatDoNotFit()
    {
        using var scope = NewDisposeScope();
        Assert.Contains(
            "gradient has shape [3], expected [2]",
            Assert.Throws<ArgumentException>(() => Kernel.Attach(1, (zeros(2), zeros(3)))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => Kernel.Attach(1));
    }

    [Fact]
    public void Attach_LeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        var (x, gradient) = (zeros(2).requires_grad_(true), ones(2));
        Ownership.Check(() => [Kernel.Attach(1, (x, gradient))], x, gradient);
    }
}
