using PostTrain.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>A layer: x ← x + attention(norm(x)), x ← x + fc2(f(fc1(norm(x)))); every patch sees every other.</summary>
internal sealed class VisionLayer : nn.Module<Tensor, Tensor>
{
    private readonly LayerNormalization attentionNorm;
    private readonly VisionAttention attention;
    private readonly LayerNormalization feedForwardNorm;
    private readonly VisionFeedForward feedForward;

    public VisionLayer(VisionConfig config, WeightSource source, string name)
        : base(nameof(VisionLayer))
    {
        attentionNorm = new LayerNormalization(source, name + ".layer_norm1", config.HiddenSize, config.NormEpsilon);
        attention = new VisionAttention(config, source, name + ".self_attn");
        feedForwardNorm = new LayerNormalization(source, name + ".layer_norm2", config.HiddenSize, config.NormEpsilon);
        feedForward = new VisionFeedForward(config, source, name + ".mlp");
        register_module("self_attn", attention);
        register_module("layer_norm1", attentionNorm);
        register_module("mlp", feedForward);
        register_module("layer_norm2", feedForwardNorm);
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var seen = input + attention.call(attentionNorm.call(input));
        return (seen + feedForward.call(feedForwardNorm.call(seen))).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}

/// <summary>Attention of every patch to every patch: [N,S,D] to [N,S,D].</summary>
internal sealed class VisionAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear query;
    private readonly Linear key;
    private readonly Linear value;
    private readonly Linear output;
    private readonly long heads;

    public VisionAttention(VisionConfig config, WeightSource source, string name)
        : base(nameof(VisionAttention))
    {
        heads = config.Heads;
        Linear Of(string part, WeightRole role = WeightRole.Projection)
        {
            var linear = source.Linear($"{name}.{part}", config.HiddenSize, config.HiddenSize, bias: true, role);
            register_module(part, linear);
            return linear;
        }
        key = Of("k_proj");
        value = Of("v_proj");
        query = Of("q_proj");
        output = Of("out_proj", WeightRole.ResidualProjection);
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var (rows, length, width) = (input.size(0), input.size(1), input.size(2));
        Tensor Heads(Linear map) => map.call(input).view(rows, length, heads, width / heads).transpose(1, 2);
        var attended = nn.functional.scaled_dot_product_attention(Heads(query), Heads(key), Heads(value));
        return output.call(attended.transpose(1, 2).reshape(rows, length, width)).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}

/// <summary>fc2(f(fc1(x))).</summary>
internal sealed class VisionFeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Linear up;
    private readonly Linear down;
    private readonly Activation activation;

    public VisionFeedForward(VisionConfig config, WeightSource source, string name)
        : base(nameof(VisionFeedForward))
    {
        activation = config.Activation;
        up = source.Linear(name + ".fc1", config.HiddenSize, config.FeedForwardSize, bias: true);
        down = source.Linear(name + ".fc2", config.FeedForwardSize, config.HiddenSize, bias: true, WeightRole.ResidualProjection);
        register_module("fc1", up);
        register_module("fc2", down);
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return down.call(Activations.Apply(activation, up.call(input))).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names are those of the files.</summary>
    protected override void RegisterComponents() { }
}
