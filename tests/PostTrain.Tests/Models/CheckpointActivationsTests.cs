using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class CheckpointActivationsTests
{
    private static readonly Tensor Segments = tensor(
            new long[,]
            {
                { 0, 0, 1, 1, 1, 1, 1, 1 },
                { 1, 1, 1, 2, 2, 2, 2, 0 },
            }
        )
        .DetachFromDisposeScope();

    public static TheoryData<string> Families => TinyModels.Names;

    private static List<Tensor> Gradients(Decoder model, bool checkpoint, Func<Tensor> loss)
    {
        model.CheckpointActivations = checkpoint;
        model.zero_grad();
        // Twice, as with accumulated gradients.
        for (var round = 0; round < 2; round++)
            loss().backward();
        return [.. model.parameters().Where(parameter => parameter.requires_grad).Select(parameter => parameter.grad!.clone())];
    }

    private static void Same(Decoder model, Func<Tensor> loss)
    {
        var expected = Gradients(model, false, loss);
        Assert.All(expected, gradient => Assert.True(gradient.abs().sum().ToDouble() > 0));
        foreach (var (plain, again) in expected.Zip(Gradients(model, true, loss)))
            TensorAssert.Same(plain, again);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Gradients_AreTheSameToTheBit(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float32);
        var ids = Numbers.Ids(1, 23, 2, 8);
        var weights = Numbers.Uniform(2, 1, 2, 8, 23).to_type(ScalarType.Float32);
        Same(model, () => (model.call(ids) * weights).sum());
        Same(model, () => (model.Project(model.Hidden(ids, Segments)) * weights).sum());
    }

    [Fact]
    public void FrozenEmbeddingsAndLayers_StillTrainTheRest()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = name.Contains("layers.1.self_attn", StringComparison.Ordinal);
        var ids = Numbers.Ids(3, 23, 2, 8);
        Same(model, () => model.call(ids).square().sum());
    }

    [Fact]
    public void HookThatThrowsInTheSecondPass_GivesNaN_AndIsRaisedByTheNextCall()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        model.CheckpointActivations = true;
        int calls = 0;
        var layer = (Linear)model.named_modules().Single(item => item.name == "model.layers.1.mlp.down_proj").module;
        var hook = layer.register_forward_hook((_, _, output) => ++calls == 2 ? throw new TimeoutException("the hook gave up") : output);
        var ids = Numbers.Ids(3, 23, 2, 8);
        model.call(ids).square().sum().backward();
        Assert.Equal(2, calls);
        Assert.All(
            model.named_parameters().Where(item => item.name.Contains("layers.0.", StringComparison.Ordinal)),
            item => Assert.True(item.parameter.grad!.isnan().any().ToBoolean(), item.name)
        );
        var error = Assert.Throws<InvalidOperationException>(() => model.call(ids));
        Assert.Contains("the hook gave up", error.Message, StringComparison.Ordinal);
        Assert.IsType<TimeoutException>(error.InnerException);
        Assert.True(model.call(ids).isfinite().all().ToBoolean());
        hook.remove();
    }

    [Fact]
    public void InputsAndParametersOutsideTheModel_GetTheirGradients()
    {
        // A hook adds what an adapter would: a matrix that the model's tree does not have, after dropout.
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        var outside = Numbers.Uniform(4, 1, 16, 16).to_type(ScalarType.Float32).requires_grad_(true);
        var target = (Linear)model.named_modules().Single(item => item.name == "model.layers.1.self_attn.q_proj").module;
        target.register_forward_hook((_, x, y) => y + nn.functional.dropout(x, 0.5).matmul(outside));
        var embeddings = model.Embed(Numbers.Ids(5, 23, 2, 8)).detach().requires_grad_(true);

        (Tensor Outside, Tensor Input) Run(bool checkpoint)
        {
            model.CheckpointActivations = checkpoint;
            foreach (var leaf in new[] { outside, embeddings })
                leaf.grad?.zero_();
            manual_seed(7);
            model.Project(model.HiddenFromEmbeddings(embeddings, Segments)).square().sum().backward();
            return (outside.grad!.clone(), embeddings.grad!.clone());
        }

        var (plain, again) = (Run(false), Run(true));
        Assert.True(plain.Outside.abs().sum().ToDouble() > 0);
        TensorAssert.Same(plain.Outside, again.Outside);
        TensorAssert.Same(plain.Input, again.Input);
    }

    [Fact]
    public void Generator_EndsWhereItWouldHave()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        model.CheckpointActivations = true;
        manual_seed(3);
        var expected = rand(4);
        manual_seed(3);
        model.call(Numbers.Ids(6, 23, 1, 4)).sum().backward();
        TensorAssert.Same(expected, rand(4));
    }

    [Fact]
    public void Passes_LeaveNoTensorBehind()
    {
        using var model = TinyModels.Create("gemma2", ScalarType.Float32);
        model.CheckpointActivations = true;
        using var ids = Numbers.Ids(7, 23, 2, 8);
        void Step()
        {
            using var scope = NewDisposeScope();
            model.Project(model.Hidden(ids, Segments)).square().sum().backward();
        }

        Step();
        var alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Step();
        Assert.Equal(alive, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Ownership.Check(() => [model.Hidden(ids, Segments)], ids);
    }
}
