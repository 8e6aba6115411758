using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>CLIP's vision transformer: pictures to feature vectors of their patches.</summary>
/// <remarks>Radford et al. 2021, arXiv:2103.00020. Parameters carry the names of transformers' files
/// (<c>vision_model.encoder.layers.0.self_attn.q_proj.weight</c>).</remarks>
public sealed class VisionEncoder : nn.Module<Tensor, Tensor>
{
    private readonly VisionTower tower;

    internal VisionEncoder(VisionConfig config, WeightSource source)
        : base(nameof(VisionEncoder))
    {
        Config = config = config.Resolved();
        using var scope = NewDisposeScope();
        try
        {
            tower = new VisionTower(config, source, "vision_model");
            register_module("vision_model", tower);
        }
        catch
        {
            source.Release();
            throw;
        }

        foreach (var parameter in parameters())
            parameter.DetachFromDisposeScope();
    }

    /// <summary>The configuration, every derived size filled in.</summary>
    public VisionConfig Config { get; }

    /// <summary>Creates an encoder with a random start: N(0, 0.02²), projections into the residual stream smaller by √(2L), biases 0, norms
    /// 1.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="type">Type of the weights.</param>
    /// <exception cref="ArgumentException">The configuration's sizes do not agree.</exception>
    public static VisionEncoder Create(VisionConfig config, ulong seed, ScalarType type = ScalarType.Float32)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new VisionEncoder(config, new RandomWeights(seed, Math.Max(1, config.Layers), type));
    }

    /// <summary>Computes the features of pictures, [N,C,H,W] to [N,<see cref="VisionConfig.FeatureCount"/>,
    /// <see cref="VisionConfig.FeatureSize"/>], patches row by row.</summary>
    /// <exception cref="ArgumentException">The pictures have another size.</exception>
    public override Tensor forward(Tensor input)
    {
        CheckPictures(input, nameof(input));
        return tower.Features(input);
    }

    internal void CheckPictures(Tensor pictures, string name)
    {
        ArgumentNullException.ThrowIfNull(pictures, name);
        if (
            pictures.shape is not [> 0, var channels, var height, var width]
            || channels != Config.Channels
            || height != Config.ImageSize
            || width != Config.ImageSize
            || !pictures.is_floating_point()
        )
            throw new ArgumentException(
                $"{name} has {pictures.dtype} of the shape [{string.Join(",", pictures.shape)}], expected floating point "
                    + $"[N,{Config.Channels},{Config.ImageSize},{Config.ImageSize}].",
                name
            );
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}
