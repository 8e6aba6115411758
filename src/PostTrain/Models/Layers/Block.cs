using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>One layer: x ← x + attention(norm(x)), x ← x + mlp(norm(x)), with a norm after attention and MLP too if the configuration has
/// them.</summary>
internal sealed class Block : nn.Module
{
    private readonly nn.Module<Tensor, Tensor> attentionNorm;
    private readonly Attention attention;
    private readonly nn.Module<Tensor, Tensor> feedForwardNorm;
    private readonly FeedForward feedForward;
    private readonly nn.Module<Tensor, Tensor>? attentionAfterNorm;
    private readonly nn.Module<Tensor, Tensor>? feedForwardAfterNorm;

    public Block(DecoderConfig config, WeightSource source, string name, int layer)
        : base(nameof(Block))
    {
        var names = ModuleNames.Of(config);
        attentionNorm = Norms.Create(config, source, $"{name}.{names.AttentionNorm}");
        attention = new Attention(config, source, $"{name}.{names.Attention}", layer);
        feedForwardNorm = Norms.Create(config, source, $"{name}.{names.FeedForwardNorm}");
        feedForward = new FeedForward(config, source, $"{name}.{names.FeedForward}");
        register_module(names.AttentionNorm, attentionNorm);
        register_module(names.Attention, attention);
        register_module(names.FeedForwardNorm, feedForwardNorm);
        register_module(names.FeedForward, feedForward);
        if (config.NormPlacement != NormPlacement.BeforeAndAfter)
            return;
        attentionAfterNorm = Norms.Create(config, source, $"{name}.{names.AttentionAfterNorm}");
        feedForwardAfterNorm = Norms.Create(config, source, $"{name}.{names.FeedForwardAfterNorm}");
        register_module(names.AttentionAfterNorm, attentionAfterNorm);
        register_module(names.FeedForwardAfterNorm, feedForwardAfterNorm);
    }

    /// <summary>Exception of the last backward pass through <see cref="CheckpointedBlock"/>; the next forward pass raises it.</summary>
    internal Exception? BackwardFailure { get; set; }

    internal nn.Module<Tensor, Tensor> AttentionNorm => attentionNorm;

    internal Attention Attention => attention;

    internal nn.Module<Tensor, Tensor> FeedForwardNorm => feedForwardNorm;

    internal FeedForward FeedForward => feedForward;

    internal nn.Module<Tensor, Tensor>? AttentionAfterNorm => attentionAfterNorm;

    internal nn.Module<Tensor, Tensor>? FeedForwardAfterNorm => feedForwardAfterNorm;

    /// <summary>[B,T,D] to [B,T,D].</summary>
    public Tensor Apply(Tensor x, in AttentionInputs inputs)
    {
        using var scope = NewDisposeScope();
        var attended = attention.Apply(attentionNorm.call(x), inputs);
        var seen = x + (attentionAfterNorm?.call(attended) ?? attended);
        var transformed = feedForward.Apply(feedForwardNorm.call(seen));
        return (seen + (feedForwardAfterNorm?.call(transformed) ?? transformed)).MoveToOuterDisposeScope();
    }

    /// <summary>Does nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents() { }
}
