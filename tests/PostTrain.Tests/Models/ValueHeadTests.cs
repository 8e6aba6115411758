using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class ValueHeadTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Values_AreTheHeadsProductWithTheHiddenStates()
    {
        using var scope = NewDisposeScope();
        using var head = ValueHead.For(
            new Rollouts.FixedLogits(
                tensor(
                    new double[,]
                    {
                        { 1, 2 },
                        { 3, 4 },
                        { 5, 6 },
                    }
                )
            )
        );
        using (no_grad())
        {
            head.to(ScalarType.Float64);
            head.Summary.weight!.copy_(
                tensor(
                    new double[,]
                    {
                        { 10, 1 },
                    }
                )
            );
            head.Summary.bias!.fill_(0.5);
        }

        var values = head.Values(
            tensor(
                new long[,]
                {
                    { 0, 2 },
                    { 1, 1 },
                }
            )
        );
        Assert.Equal([2, 2], values.shape);
        // 10·1 + 2 + ½, 10·5 + 6 + ½, 10·3 + 4 + ½
        TensorAssert.Close([12.5, 56.5, 34.5, 34.5], values, 0);
        TensorAssert.Close(
            [12.5],
            head.call(
                tensor(
                    new double[,]
                    {
                        { 1, 2 },
                    }
                )
            ),
            0
        );
        Assert.Contains(
            "expected [...,2]",
            Assert.Throws<ArgumentException>(() => head.call(ones(1, 3))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void SharedBody_StaysThePolicys()
    {
        using var scope = NewDisposeScope();
        using var policy = Toy.Model();
        using (var head = ValueHead.For(policy, new HeadOptions { StandardDeviation = 0 }))
        {
            Assert.Equal(["summary.weight", "summary.bias"], head.named_parameters().Select(parameter => parameter.name));
            TensorAssert.Zero(head.Values(Numbers.Ids(1, 20, 2, 5)));
        }

        Assert.True(double.IsFinite(policy.call(Numbers.Ids(1, 20, 1, 3)).sum().ToDouble()));
    }

    [Fact]
    public void OwnBody_IsTrainedWithTheHead()
    {
        using var scope = NewDisposeScope();
        var body = Toy.Model();
        using var head = ValueHead.WithOwnBody(body, new HeadOptions { StandardDeviation = 0.5, Seed = 3 });
        Assert.Equal(body.named_parameters().Count() + 2, head.named_parameters().Count());
        using var ids = Numbers.Ids(1, 20, 2, 5);
        // The decoder keeps its tables of positions from the first call on.
        head.Values(ids).Dispose();
        Ownership.Check(() => [head.Values(ids)], ids);
        head.Values(ids).sum().backward();
        Assert.All(
            head.named_parameters(),
            pair => Assert.True(pair.parameter.grad is { } grad && grad.abs().sum().ToDouble() > 0, pair.name)
        );
        using var same = ValueHead.For(body, new HeadOptions { StandardDeviation = 0.5, Seed = 3 });
        TensorAssert.Same(head.Values(ids), same.Values(ids));
    }

    [Theory]
    [InlineData(SaveOptions.DefaultMaxShardBytes)]
    [InlineData(4000)]
    public void Save_WritesTrlsNames_AndPolicyAndCriticComeBack(long maximum)
    {
        using var scope = NewDisposeScope();
        using var policy = TinyModels.Create("llama", ScalarType.Float32);
        using var head = ValueHead.For(policy, new HeadOptions { StandardDeviation = 0.3 });
        using (no_grad())
            head.Summary.bias!.fill_(0.75);
        Pretrained.Save(head, directory.Path, new SaveOptions { MaxShardBytes = maximum });
        if (maximum == SaveOptions.DefaultMaxShardBytes)
        {
            using var file = SafetensorsFile.Open(directory.File("model.safetensors"));
            Assert.True(
                file.TryGetEntry("v_head.summary.weight", out var weight)
                    && weight.Shape.SequenceEqual([1L, 16L])
                    && weight.Type == ScalarType.Float32
            );
            Assert.True(file.TryGetEntry("v_head.summary.bias", out var bias) && bias.Shape.SequenceEqual([1L]));
        }

        var ids = Numbers.Ids(2, 23, 2, 6);
        using var loadedPolicy = Pretrained.Load(directory.Path);
        using var loadedHead = Pretrained.LoadValueHead(directory.Path, loadedPolicy);
        using var critic = Pretrained.LoadCritic(directory.Path);
        Assert.Equal(Toy.Bytes(policy), Toy.Bytes(loadedPolicy));
        TensorAssert.Same(head.Values(ids), loadedHead.Values(ids));
        TensorAssert.Same(head.Values(ids), critic.Values(ids));
        Assert.Equal(policy.named_parameters().Count() + 2, critic.named_parameters().Count());
    }

    [Fact]
    public void Load_WithoutAHeadOrForAnotherBody_IsRefusedAndLeavesNoTensors()
    {
        using var policy = TinyModels.Create("llama", ScalarType.Float32);
        Pretrained.Save(policy, directory.Path);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Assert.Contains(
            "no tensor 'v_head.summary.weight' [1,16]",
            Assert.Throws<InvalidDataException>(() => Pretrained.LoadCritic(directory.Path)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<InvalidDataException>(() => Pretrained.LoadValueHead(directory.Path, policy));
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        using (var head = ValueHead.For(policy))
            Pretrained.Save(head, directory.Path);
        using var other = Decoder.Create(TinyModels.Llama with { HiddenSize = 32 }, 1);
        Assert.Contains(
            "[1,32]",
            Assert.Throws<InvalidDataException>(() => Pretrained.LoadValueHead(directory.Path, other)).Message,
            StringComparison.Ordinal
        );
    }
}
