using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The common inputs of all layers with the same attention in one forward pass.</summary>
/// <param name="Bias">The values added to the scores; null if there are none, or if <see cref="Visible"/> defines the visible keys.</param>
/// <param name="Cosine">Angles of the rotary embedding, [B or 1,T,1,2,d/2], or null.</param>
/// <param name="Sine">The same.</param>
/// <param name="Cache">Positions before.</param>
/// <param name="Prefix">Virtual positions before.</param>
/// <param name="Visible">The visible keys of each query, if one operator computes the layer.</param>
internal readonly record struct AttentionInputs(
    Tensor? Bias,
    Tensor? Cosine,
    Tensor? Sine,
    KeyValueCache? Cache,
    KeyValuePrefix? Prefix,
    VisibleKeys? Visible = null
);

/// <summary>
/// Causal multi-head attention, softmax(cap(scale q kᵀ) + bias) v, with H query heads over H_kv key and value heads (grouped-query
/// attention, Ainslie et al. 2023, arXiv:2305.13245): the queries of a group are rows of one product, so that keys and values are never
/// repeated.
/// </summary>
internal sealed class Attention : nn.Module, ILayerOwner
{
    private nn.Module<Tensor, Tensor>? fused;
    private nn.Module<Tensor, Tensor>? query;
    private nn.Module<Tensor, Tensor>? key;
    private nn.Module<Tensor, Tensor>? value;
    private nn.Module<Tensor, Tensor> output;
    private readonly ModuleNames names;
    private readonly RmsNorm? queryNorm;
    private readonly RmsNorm? keyNorm;
    private readonly int layer;
    private readonly int heads;
    private readonly int keyValueHeads;
    private readonly int headSize;
    private readonly double scale;
    private readonly double? softCap;

    public Attention(DecoderConfig config, WeightSource source, string name, int layer)
        : base(nameof(Attention))
    {
        names = ModuleNames.Of(config.Naming);
        this.layer = layer;
        (heads, keyValueHeads, headSize) = (config.Heads, config.KeyValueHeads, config.HeadSize);
        var spec = config.Attention[layer];
        scale = spec.Scale ?? 1 / Math.Sqrt(headSize);
        softCap = spec.SoftCap;
        if (config.FusedProjections)
        {
            fused = Projection(names.Fused, heads + 2 * keyValueHeads);
        }
        else
        {
            query = Projection(names.Query, heads);
            key = Projection(names.Key, keyValueHeads);
            value = Projection(names.Value, keyValueHeads);
        }

        output = source.Linear(
            $"{name}.{names.AttentionOutput}",
            heads * headSize,
            config.HiddenSize,
            config.AttentionOutputBias!.Value,
            WeightRole.ResidualProjection
        );
        register_module(names.AttentionOutput, output);
        if (spec.QueryKeyNorm)
        {
            queryNorm = Norms.Rms(config, source, $"{name}.{names.QueryNorm}", headSize);
            keyNorm = Norms.Rms(config, source, $"{name}.{names.KeyNorm}", headSize);
            register_module(names.QueryNorm, queryNorm);
            register_module(names.KeyNorm, keyNorm);
        }

        Linear Projection(string part, int count)
        {
            var linear = source.Linear($"{name}.{part}", config.HiddenSize, count * headSize, config.AttentionBias);
            register_module(part, linear);
            return linear;
        }
    }

    internal nn.Module<Tensor, Tensor>? FusedProjection => fused;

    internal nn.Module<Tensor, Tensor>? Query => query;

    internal nn.Module<Tensor, Tensor>? Key => key;

    internal nn.Module<Tensor, Tensor>? Value => value;

    internal nn.Module<Tensor, Tensor> Output => output;

    internal RmsNorm? QueryNorm => queryNorm;

    internal RmsNorm? KeyNorm => keyNorm;

    /// <summary>[B,T,D] to [B,T,D].</summary>
    public Tensor Apply(Tensor x, in AttentionInputs inputs)
    {
        using var scope = NewDisposeScope();
        if (inputs.Visible is not null)
            return output.call(Blockwise(x, inputs)).MoveToOuterDisposeScope();
        var (batch, length) = (x.size(0), x.size(1));
        var projected = fused is not null ? fused.call(x) : cat([query!.call(x), key!.call(x), value!.call(x)], -1);
        var all = projected.view(batch, length, heads + 2 * keyValueHeads, headSize);
        var turning = queryNorm is null
            ? all.narrow(2, 0, heads + keyValueHeads)
            : cat([queryNorm.call(all.narrow(2, 0, heads)), keyNorm!.call(all.narrow(2, heads, keyValueHeads))], 2);
        if (inputs.Cosine is not null)
            turning = RotaryEmbedding.Rotate(turning, inputs.Cosine, inputs.Sine!);

        // [B,H_kv,G T,Dh]: a group's queries below each other.
        var group = heads / keyValueHeads;
        var queries = turning.narrow(2, 0, heads).mul(scale).transpose(1, 2).reshape(batch, keyValueHeads, group * length, headSize);
        var keys = turning.narrow(2, heads, keyValueHeads).transpose(1, 2);
        var values = all.narrow(2, heads + keyValueHeads, keyValueHeads).transpose(1, 2);
        if (inputs.Prefix is not null)
            (keys, values) = inputs.Prefix.Before(layer, keys, values);
        if (inputs.Cache is not null)
            (keys, values) = inputs.Cache.Append(layer, keys, values);

        var scores = queries.matmul(keys.transpose(2, 3));
        if (softCap is { } cap)
            scores = scores.div(cap).tanh().mul(cap);
        var total = scores.size(3);
        if (inputs.Bias is not null)
            scores = scores
                .view(batch, keyValueHeads, group, length, total)
                .add_(inputs.Bias)
                .view(batch, keyValueHeads, group * length, total);
        var mixed = scores.softmax(-1).matmul(values);
        return output
            .call(mixed.view(batch, heads, length, headSize).transpose(1, 2).reshape(batch, length, heads * headSize))
            .MoveToOuterDisposeScope();
    }

    public void ReplaceLayer(string name, nn.Module<Tensor, Tensor> layer)
    {
        if (fused is not null && name == names.Fused)
            fused = LayerSlots.Register(this, name, layer);
        else if (fused is null && name == names.Query)
            query = LayerSlots.Register(this, name, layer);
        else if (fused is null && name == names.Key)
            key = LayerSlots.Register(this, name, layer);
        else if (fused is null && name == names.Value)
            value = LayerSlots.Register(this, name, layer);
        else if (name == names.AttentionOutput)
            output = LayerSlots.Register(this, name, layer);
        else
            throw LayerSlots.Unknown(this, name);
    }

    // The heads' results side by side, [B,T,H Dh], by one operator.
    private Tensor Blockwise(Tensor x, in AttentionInputs inputs)
    {
        var (batch, length) = ((int)x.size(0), (int)x.size(1));
        Tensor first;
        Tensor? keys = null,
            values = null;
        if (fused is null)
        {
            (first, keys, values) = (query!.call(x), key!.call(x), value!.call(x));
        }
        else
        {
            first = fused.call(x);
        }
        if (queryNorm is not null)
        {
            if (keys is null)
            {
                var (width, narrow) = ((long)heads * headSize, (long)keyValueHeads * headSize);
                (first, keys, values) = (
                    first.narrow(2, 0, width),
                    first.narrow(2, width, narrow),
                    first.narrow(2, width + narrow, narrow)
                );
            }
            first = queryNorm.call(first.reshape(batch, length, heads, headSize)).view(batch, length, -1);
            keys = keyNorm!.call(keys.reshape(batch, length, keyValueHeads, headSize)).view(batch, length, -1);
        }
        var turned = inputs.Cosine is { } cosine ? (int)(2 * cosine.size(-1)) : 0;
        var angles = inputs.Cosine is { } rows ? (int)rows.size(0) : 1;
        var shape = new AttentionShape(
            batch,
            length,
            heads,
            keyValueHeads,
            headSize,
            turned,
            angles,
            scale,
            softCap ?? 0,
            Joint: keys is null
        );
        return AttentionOperator.Run(first, keys, values, inputs.Cosine, inputs.Sine, shape, inputs.Visible!);
    }

    /// <summary>Nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents() { }
}
