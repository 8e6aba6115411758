using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Operators;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

/// <summary>Whole decoders with operators in closed form against the same decoders by tensor operators, in float64.</summary>
[Collection("Sequential")]
public sealed class FusedModelTests
{
    public static TheoryData<string> Names => [.. TinyModels.All.Keys];

    // One sequence a row; padding on the left and on the right; two sequences a row; a hole.
    private static readonly long[][] Segments =
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2],
        [0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0],
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoder_IsTheTensorOperators(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float64);
        var ids = Numbers.Ids(3, 23, Segments.Length, Segments[0].Length);
        var masks = new Tensor?[] { null, tensor(Segments.SelectMany(row => row).ToArray()).view(ids.shape) };
        foreach (var mask in masks)
        {
            var (logits, gradients) = Pass(model, ids, mask);
            using var period = Fused.Reference();
            var (expected, wanted) = Pass(model, ids, mask);
            TensorAssert.Close(expected, logits, 1e-11, "logits");
            foreach (var (parameter, gradient) in wanted)
                TensorAssert.Close(gradient, gradients[parameter], 1e-11, parameter);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void AdaptedDecoder_IsTheTensorOperators(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float64);
        using var adapter = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Rank = 3,
                Alpha = 5,
                Targets = ModuleSelection.AllLinear,
            }
        );
        using (no_grad())
        {
            foreach (var (_, parameter) in model.named_parameters().Where(item => item.name.Contains("lora_B", StringComparison.Ordinal)))
                parameter.copy_(Numbers.Uniform(5, 0.3, parameter.shape));
        }
        var ids = Numbers.Ids(3, 23, 2, 9);
        var (logits, gradients) = Pass(model, ids, null);
        using var period = Fused.Reference();
        var (expected, wanted) = Pass(model, ids, null);
        Assert.NotEmpty(wanted);
        TensorAssert.Close(expected, logits, 1e-11, "logits");
        foreach (var (parameter, gradient) in wanted)
            TensorAssert.Close(gradient, gradients[parameter], 1e-11, parameter);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void InBFloat16_IsAsNearToFloat32AsTheTensorOperators(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.BFloat16);
        var ids = Numbers.Ids(3, 23, Segments.Length, Segments[0].Length);
        var mask = tensor(Segments.SelectMany(row => row).ToArray()).view(ids.shape);
        var (logits, gradients) = Pass(model, ids, mask);
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        Assert.All(gradients.Values, gradient => Assert.Equal(ScalarType.BFloat16, gradient.dtype));
        (Tensor Logits, Dictionary<string, Tensor> Gradients) other;
        using (Fused.Reference())
            other = Pass(model, ids, mask);
        // The same rounded weights.
        model.to(ScalarType.Float32);
        var (exact, wanted) = Pass(model, ids, mask);
        IsAsNear(Distance(exact, other.Logits), Distance(exact, logits), "logits");
        IsAsNear(
            wanted.Average(item => Distance(item.Value, other.Gradients[item.Key])),
            wanted.Average(item => Distance(item.Value, gradients[item.Key])),
            "gradients"
        );
    }

    [Fact]
    public void CheckpointedLayers_GiveTheSameBits()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gemma2", ScalarType.Float32);
        var ids = Numbers.Ids(3, 23, Segments.Length, Segments[0].Length);
        var mask = tensor(Segments.SelectMany(row => row).ToArray()).view(ids.shape);
        var (logits, gradients) = Pass(model, ids, mask);
        model.CheckpointActivations = true;
        var (again, same) = Pass(model, ids, mask);
        TensorAssert.Same(logits, again);
        foreach (var (parameter, gradient) in gradients)
            TensorAssert.Same(gradient, same[parameter], parameter);
    }

    // Which of two roundings is nearer is chance.
    private static void IsAsNear(double theirs, double own, string what) =>
        Assert.True(own < 1.3 * theirs && own < 0.1, $"{what} are {own} from float32, those of the tensor operators {theirs}");

    // |a − b|/|a|.
    private static double Distance(Tensor expected, Tensor actual) =>
        ((actual.to_type(ScalarType.Float32) - expected).norm() / expected.norm()).ToDouble();

    private static (Tensor Logits, Dictionary<string, Tensor> Gradients) Pass(Decoder model, Tensor ids, Tensor? mask)
    {
        foreach (var parameter in model.parameters())
            parameter.grad = null;
        var logits = model.Project(model.Hidden(ids, mask));
        // What stands at padding has no meaning; its gradient is still that of the same function.
        (logits.log_softmax(-1) * Numbers.Uniform(8, 1, logits.shape).to_type(logits.dtype))
            .sum()
            .backward();
        return (
            logits.detach(),
            model
                .named_parameters()
                .Where(item => item.parameter.requires_grad && item.parameter.grad is { IsInvalid: false })
                .ToDictionary(item => item.name, item => item.parameter.grad!.clone())
        );
    }
}
