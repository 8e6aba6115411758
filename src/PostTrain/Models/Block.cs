using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>One pre-norm layer: x ← x + attention(norm(x)), x ← x + mlp(norm(x)).</summary>
internal sealed class Block : nn.Module
{
    private readonly nn.Module<Tensor, Tensor> attentionNorm;
    private readonly Attention attention;
    private readonly nn.Module<Tensor, Tensor> feedForwardNorm;
    private readonly FeedForward feedForward;

    public Block(DecoderConfig config, WeightSource source, string name, int layer)
        : base(nameof(Block))
    {
        var names = ModuleNames.Of(config.Naming);
        attentionNorm = Norms.Create(config, source, $"{name}.{names.AttentionNorm}");
        attention = new Attention(config, source, $"{name}.{names.Attention}", layer);
        feedForwardNorm = Norms.Create(config, source, $"{name}.{names.FeedForwardNorm}");
        feedForward = new FeedForward(config, source, $"{name}.{names.FeedForward}");
        register_module(names.AttentionNorm, attentionNorm);
        register_module(names.Attention, attention);
        register_module(names.FeedForwardNorm, feedForwardNorm);
        register_module(names.FeedForward, feedForward);
    }

    /// <summary>[B,T,D] to [B,T,D].</summary>
    public Tensor Apply(Tensor x, in AttentionInputs inputs)
    {
        using var scope = NewDisposeScope();
        var seen = x + attention.Apply(attentionNorm.call(x), inputs);
        return (seen + feedForward.Apply(feedForwardNorm.call(seen))).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents()
    {
    }
}
