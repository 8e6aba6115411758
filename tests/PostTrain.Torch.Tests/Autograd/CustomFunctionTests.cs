using System.Runtime.InteropServices;
using PostTrain.Torch.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Autograd;

[Collection("Sequential")]
public class CustomFunctionTests
{
    // x³ · factor, with its gradient written out.
    private sealed class Cube : autograd.SingleTensorFunction<Cube>
    {
        public override string Name => nameof(Cube);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var x = (Tensor)vars[0];
            ctx.save_for_backward([x]);
            ctx.save_data("factor", vars[1]);
            return x.pow(3) * (double)vars[1];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            var x = ctx.get_saved_variables()[0];
            return [grad_output * x.square() * (3 * (double)ctx.get_data("factor")), null!];
        }
    }

    // (a b, a + b): two results, two arguments; the product itself is kept for backward.
    private sealed class ProductAndSum : autograd.MultiTensorFunction<ProductAndSum>
    {
        public override string Name => nameof(ProductAndSum);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var (a, b) = ((Tensor)vars[0], (Tensor)vars[1]);
            var product = a * b;
            ctx.save_for_backward([a, b, product]);
            return [product, a + b];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            var saved = ctx.get_saved_variables();
            Numbers.Same(saved[0] * saved[1], saved[2]);
            return [grad_outputs[0] * saved[1] + grad_outputs[1], grad_outputs[0] * saved[0] + grad_outputs[1]];
        }
    }

    private sealed class Broken : autograd.SingleTensorFunction<Broken>
    {
        public override string Name => nameof(Broken);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) =>
            (string)vars[1] == "forward" ? throw new InvalidTimeZoneException("forward failed") : Keep(ctx, vars);

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => (string)ctx.get_data("how") switch
        {
            "backward" => throw new InvalidTimeZoneException("backward failed"),
            "shape" => [ones(7, float64), null!],
            "count" => [],
            _ => [grad_output, null!],
        };

        private static Tensor Keep(autograd.AutogradContext ctx, object[] vars)
        {
            ctx.save_data("how", vars[1]);
            return (Tensor)vars[0] * 1.0;
        }
    }

    // Results of a kind that carries no gradient.
    private sealed class Rounded : autograd.MultiTensorFunction<Rounded>
    {
        public override string Name => nameof(Rounded);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.set_materialize_grads(false);
            var x = (Tensor)vars[0];
            var rounded = x.round();
            ctx.mark_non_differentiable([rounded]);
            return [x * 2, rounded];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            Assert.Null(grad_outputs[1]);
            return [grad_outputs[0] * 2];
        }
    }

    [Fact]
    public void Single_ValueAndGradient_EqualTheFormulaAndDifferences()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([1, -2, 0.5]).requires_grad_();

        Numbers.Same([2, -16, 0.25], Cube.apply(x, 2.0));
        Numbers.GradientsMatch(() => (Cube.apply(x, 2.0) * Numbers.Spread(1, 3)).sum(), x);
        Numbers.GradientsMatch(() => Cube.apply(Cube.apply(x, 1.0).tanh(), 0.5).sum(), x);
    }

    [Fact]
    public void Multi_ValuesAndGradients_EqualTheFormulaAndDifferences()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Numbers.Spread(0, 4).requires_grad_(), Numbers.Spread(1, 4).requires_grad_());

        Numbers.GradientsMatch(() =>
        {
            var results = ProductAndSum.apply(a, b);
            return (results[0] * Numbers.Spread(2, 4)).sum() + results[1].square().sum();
        }, a, b);
        // A result that is not used counts as zero.
        Numbers.GradientsMatch(() => ProductAndSum.apply(a, b)[1].square().sum(), a, b);
    }

    [Fact]
    public void Multi_NonDifferentiableResult_CarriesNoGradient()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([1.4]).requires_grad_();

        var results = Rounded.apply(x);
        results[0].sum().backward();

        Assert.False(results[1].requires_grad);
        Numbers.Same([2.0], x.grad!);
    }

    [Fact]
    public void Apply_WithoutGradients_RecordsNothing()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([2.0]);

        Assert.False(Cube.apply(x, 1.0).requires_grad);
        using var _ = no_grad();
        Assert.False(Cube.apply(x.requires_grad_(), 1.0).requires_grad);
    }

    [Fact]
    public void Exception_InForward_ComesOutAsItIs()
    {
        using var x = Numbers.Real([1.0]).requires_grad_();

        Assert.Equal("forward failed", Assert.Throws<InvalidTimeZoneException>(() => Broken.apply(x, "forward")).Message);
    }

    [Fact]
    public void Exception_InBackward_ComesOutAsItIsAndTheProcessLivesOn()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([1.0]).requires_grad_();

        for (int i = 0; i < 50; i++)
            Assert.Equal("backward failed", Assert.Throws<InvalidTimeZoneException>(() => Broken.apply(x, "backward").sum().backward()).Message);
        Assert.Throws<InvalidTimeZoneException>(() => autograd.grad([Broken.apply(x, "backward").sum()], [x]));

        Broken.apply(x, "right").sum().backward();
        Numbers.Same([1.0], x.grad!);
    }

    [Fact]
    public void Backward_WrongShapeOrCount_SaysSo()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([1, 2]).requires_grad_();

        Assert.Contains("shape", Assert.Throws<ExternalException>(() => Broken.apply(x, "shape").sum().backward()).Message, StringComparison.Ordinal);
        Assert.Contains("0 gradients", Assert.Throws<InvalidOperationException>(() => Broken.apply(x, "count").sum().backward()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SavedVariable_ChangedInPlace_IsNoticed()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([2.0]).requires_grad_();
        var doubled = x * 2;
        var result = Cube.apply(doubled, 1.0).sum();
        using (no_grad()) doubled.add_(ones(1, float64));

        Assert.Contains("modified by an inplace operation", Assert.Throws<ExternalException>(() => result.backward()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Backward_Twice_NeedsTheGraphKept()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([2.0]).requires_grad_();
        var kept = Cube.apply(x, 1.0).sum();
        kept.backward(retain_graph: true);
        kept.backward();
        Numbers.Same([24.0], x.grad!);

        Assert.Throws<ExternalException>(() => kept.backward());
    }

    [Fact]
    public void ThousandCalls_LeaveNothingBehind()
    {
        using var x = Numbers.Spread(0, 100, 100).requires_grad_();
        void Call(int i)
        {
            using var scope = NewDisposeScope();
            var result = (i % 2 == 0 ? Cube.apply(x, 1.0) : ProductAndSum.apply(x, x)[0]).sum();
            // Every third graph is thrown away without a backward pass.
            if (i % 3 != 0) result.backward();
        }
        for (int i = 0; i < 10; i++) Call(i);
        long tensors = Numbers.LiveTensors(), nodes = ManagedNode.LiveCount;

        for (int i = 0; i < 1000; i++) Call(i);

        Assert.Equal(tensors, Numbers.LiveTensors());
        Assert.Equal(nodes, ManagedNode.LiveCount);
    }
}
