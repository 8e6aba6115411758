using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A layer of a decoder as memory.</summary>
internal sealed class StepLayer<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Block block;

    private StepLayer(Block block, int layer)
    {
        this.block = block;
        Layer = layer;
    }

    /// <summary>Number of the layer.</summary>
    public int Layer { get; }

    /// <summary>Queries, keys and values: one layer or three.</summary>
    public required StepLinear<T>[] Projections { get; init; }

    /// <summary>Attention's output projection.</summary>
    public required StepLinear<T> Output { get; init; }

    /// <summary>Gate and up in one, gate and up, or up alone.</summary>
    public required StepLinear<T>[] Inner { get; init; }

    /// <summary>The second projection of the feed-forward layer.</summary>
    public required StepLinear<T> Down { get; init; }

    /// <summary>The norm before attention.</summary>
    public required StepNorm<T> AttentionNorm { get; init; }

    /// <summary>The norm before the feed-forward layer.</summary>
    public required StepNorm<T> FeedForwardNorm { get; init; }

    /// <summary>The norm behind attention, or null.</summary>
    public StepNorm<T>? AttentionAfterNorm { get; init; }

    /// <summary>The norm behind the feed-forward layer, or null.</summary>
    public StepNorm<T>? FeedForwardAfterNorm { get; init; }

    /// <summary>The norm of queries, or null.</summary>
    public StepNorm<T>? QueryNorm { get; init; }

    /// <summary>The norm of keys, or null.</summary>
    public StepNorm<T>? KeyNorm { get; init; }

    /// <summary>True if a linear layer of it is called.</summary>
    public bool HasCalls => Projections.Append(Output).Concat(Inner).Append(Down).Any(linear => linear.IsCall);

    /// <summary>The layer; null if a norm of it is not a plain module without hooks, of type <typeparamref name="T"/> in CPU
    /// memory.</summary>
    public static StepLayer<T>? Of(DecoderConfig config, Block block, int layer)
    {
        var (attention, forward) = (block.Attention, block.FeedForward);
        var (width, hidden) = (config.HiddenSize, config.FeedForwardSize);
        var (queries, keys) = (config.Heads * config.HeadSize, config.KeyValueHeads * config.HeadSize);
        if (
            StepNorm<T>.Of(block.AttentionNorm) is not { } attentionNorm
            || StepNorm<T>.Of(block.FeedForwardNorm) is not { } feedForwardNorm
        )
            return null;
        nn.Module<Tensor, Tensor>?[] optional =
        [
            block.AttentionAfterNorm,
            block.FeedForwardAfterNorm,
            attention.QueryNorm,
            attention.KeyNorm,
        ];
        var norms = Array.ConvertAll(optional, module => module is null ? null : StepNorm<T>.Of(module));
        if (Enumerable.Range(0, norms.Length).Any(i => optional[i] is not null && norms[i] is null))
            return null;
        return new StepLayer<T>(block, layer)
        {
            Projections = Linears(
                width,
                (attention.FusedProjection, queries + 2 * keys),
                (attention.Query, queries),
                (attention.Key, keys),
                (attention.Value, keys)
            ),
            Output = StepLinear<T>.Of(attention.Output, queries, width),
            Inner = Linears(width, (forward.Fused, 2 * hidden), (forward.Gate, hidden), (forward.Up, hidden)),
            Down = StepLinear<T>.Of(forward.Down, hidden, width),
            AttentionNorm = attentionNorm,
            FeedForwardNorm = feedForwardNorm,
            AttentionAfterNorm = norms[0],
            FeedForwardAfterNorm = norms[1],
            QueryNorm = norms[2],
            KeyNorm = norms[3],
        };
    }

    /// <summary>True if the layer's modules still are what they were, with the same memory and without hooks.</summary>
    public bool IsCurrent()
    {
        var (attention, forward) = (block.Attention, block.FeedForward);
        return AreCurrent(Projections, attention.FusedProjection, attention.Query, attention.Key, attention.Value)
            && AreCurrent(Inner, forward.Fused, forward.Gate, forward.Up)
            && Output.IsCurrent(attention.Output)
            && Down.IsCurrent(forward.Down)
            && AttentionNorm.IsCurrent(block.AttentionNorm)
            && FeedForwardNorm.IsCurrent(block.FeedForwardNorm)
            && (AttentionAfterNorm?.IsCurrent(block.AttentionAfterNorm!) ?? true)
            && (FeedForwardAfterNorm?.IsCurrent(block.FeedForwardAfterNorm!) ?? true)
            && (QueryNorm?.IsCurrent(attention.QueryNorm!) ?? true)
            && (KeyNorm?.IsCurrent(attention.KeyNorm!) ?? true);
    }

    private static StepLinear<T>[] Linears(int inputs, params ReadOnlySpan<(nn.Module<Tensor, Tensor>? Module, int Outputs)> layers)
    {
        var found = new List<StepLinear<T>>();
        foreach (var (module, outputs) in layers)
        {
            if (module is not null)
                found.Add(StepLinear<T>.Of(module, inputs, outputs));
        }
        return [.. found];
    }

    private static bool AreCurrent(StepLinear<T>[] linears, params ReadOnlySpan<nn.Module<Tensor, Tensor>?> modules)
    {
        var next = 0;
        foreach (var module in modules)
        {
            if (module is not null && (next == linears.Length || !linears[next++].IsCurrent(module)))
                return false;
        }
        return next == linears.Length;
    }
}
