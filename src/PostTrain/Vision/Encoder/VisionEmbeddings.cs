using PostTrain.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>A class token and the patches of pictures, each with its learned position: [N,C,H,W] to [N,1+P,D].</summary>
internal sealed class VisionEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter classEmbedding;
    private readonly PatchEmbedding patches;
    private readonly TokenEmbedding positions;

    public VisionEmbeddings(VisionConfig config, WeightSource source, string name)
        : base(nameof(VisionEmbeddings))
    {
        classEmbedding = source.Parameter(name + ".class_embedding", [config.HiddenSize], WeightRole.Embedding);
        patches = new PatchEmbedding(config, source, name + ".patch_embedding");
        positions = new TokenEmbedding(source, name + ".position_embedding", config.Patches + 1, config.HiddenSize);
        register_parameter("class_embedding", classEmbedding);
        register_module("patch_embedding", patches);
        register_module("position_embedding", positions);
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var embedded = patches.call(input);
        var first = classEmbedding.view(1, 1, -1).expand(embedded.size(0), 1, -1);
        return (cat([first, embedded], 1) + positions.Weight).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}

/// <summary>A linear map of each patch's pixels: [N,C,H,W] to [N,P,D], patches row by row.</summary>
internal sealed class PatchEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly long[] stride;

    public PatchEmbedding(VisionConfig config, WeightSource source, string name)
        : base(nameof(PatchEmbedding))
    {
        stride = [config.PatchSize, config.PatchSize];
        weight = source.Parameter(
            name + ".weight",
            [config.HiddenSize, config.Channels, config.PatchSize, config.PatchSize],
            WeightRole.Embedding
        );
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return nn.functional.conv2d(input, weight, strides: stride).flatten(2).transpose(1, 2).MoveToOuterDisposeScope();
    }
}
