using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>The parts of the encoder under their names in files.</summary>
internal sealed class VisionTower : nn.Module
{
    private readonly VisionEmbeddings embeddings;
    private readonly LayerNormalization firstNorm;
    private readonly List<VisionLayer> layers = [];
    private readonly int[] features;
    private readonly bool includesClass;

    public VisionTower(VisionConfig config, WeightSource source, string name)
        : base(nameof(VisionTower))
    {
        embeddings = new VisionEmbeddings(config, source, name + ".embeddings");
        // Spelled so in the files.
        firstNorm = new LayerNormalization(source, name + ".pre_layrnorm", config.HiddenSize, config.NormEpsilon);
        register_module("embeddings", embeddings);
        register_module("pre_layrnorm", firstNorm);
        register_module("encoder", new LayerStack(config, source, name + ".encoder", layers));
        // The features do not pass it; files hold it.
        register_module("post_layernorm", new LayerNormalization(source, name + ".post_layernorm", config.HiddenSize, config.NormEpsilon));
        features = [.. config.FeatureLayers.Select(layer => layer < 0 ? config.Layers + 1 + layer : layer)];
        includesClass = config.IncludesClassToken;
    }

    public Tensor Features(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        var hidden = new List<Tensor> { firstNorm.call(embeddings.call(pictures)) };
        foreach (var layer in layers.Take(features.Max()))
            hidden.Add(layer.call(hidden[^1]));
        var chosen = features.Length == 1 ? hidden[features[0]] : cat([.. features.Select(layer => hidden[layer])], -1);
        return (includesClass ? chosen.alias() : chosen.narrow(1, 1, chosen.size(1) - 1).contiguous()).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }

    private sealed class LayerStack : nn.Module
    {
        public LayerStack(VisionConfig config, WeightSource source, string name, List<VisionLayer> layers)
            : base("encoder") => register_module("layers", new Numbered(config, source, name + ".layers", layers));

        protected override void RegisterComponents() { }
    }

    private sealed class Numbered : nn.Module
    {
        public Numbered(VisionConfig config, WeightSource source, string name, List<VisionLayer> layers)
            : base("layers")
        {
            for (var i = 0; i < config.Layers; i++)
            {
                layers.Add(new VisionLayer(config, source, $"{name}.{i}"));
                register_module($"{i}", layers[i]);
            }
        }

        protected override void RegisterComponents() { }
    }
}
