using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The layers of a decoder at one position, in phases whose items can run at the same time.</summary>
internal sealed unsafe class StepBody<T> : IDisposable
    where T : unmanaged, IFloatingPointIeee754<T>
{
    // Of each layer: norm, projections, attention, output, norm, inner, down.
    private const int LayerPhases = 7;

    // Rows of an item of a norm.
    private const int NormRows = 4;

    private readonly StepLayer<T>[] layers;
    private readonly StepNorm<T> final;
    private readonly StepParameter<T> positions;
    private readonly Backbone backbone;
    private readonly StepAttention<T> attention;
    private readonly StepBuffers<T> buffers;
    private readonly int width,
        inner;

    private StepBody(
        DecoderConfig config,
        Backbone backbone,
        StepLayer<T>[] layers,
        StepNorm<T> final,
        StepParameter<T> positions,
        StepAttention<T> attention
    )
    {
        (Config, this.backbone, this.layers, this.final, this.positions) = (config, backbone, layers, final, positions);
        (this.attention, width, inner) = (attention, config.HiddenSize, config.FeedForwardSize);
        buffers = new StepBuffers<T>(config);
        HasCalls = layers.Any(layer => layer.HasCalls);
        Weights = layers.Sum(layer =>
            layer
                .Projections.Append(layer.Output)
                .Concat(layer.Inner)
                .Append(layer.Down)
                .Sum(linear => (long)linear.Inputs * linear.Outputs)
        );
    }

    public DecoderConfig Config { get; }

    /// <summary>Number of weights in products.</summary>
    public long Weights { get; }

    public int Phases => layers.Length * LayerPhases + 1;

    /// <summary>The hidden states behind the final norm, [B,D].</summary>
    public T* Result => buffers.Normed;

    /// <summary>True if linear layers are called, which takes the calling thread alone.</summary>
    public bool HasCalls { get; }

    /// <summary>Null if a norm or the table of positions is not a plain module without hooks, in CPU memory.</summary>
    public static StepBody<T>? Of(DecoderConfig config, Backbone backbone, AttentionViews views, KeyValueCache cache)
    {
        if (config.Activation == Activation.Gelu || cache.Type != TensorMemory.TypeOf<T>() || cache.Device.type != DeviceType.CPU)
            return null;
        if (StepNorm<T>.Of(backbone.Norm) is not { } final)
            return null;
        var layers = backbone.Blocks.Select((block, layer) => StepLayer<T>.Of(config, block, layer)).ToArray();
        var fits = true;
        if (backbone.Positions is { } table && ForwardHooks.Of(table) is not { Any: false })
            return null;
        var positions = StepParameter<T>.Of(backbone.Positions?.Weight, ref fits);
        return fits && !layers.Contains(null)
            ? new StepBody<T>(config, backbone, layers!, final, positions, new StepAttention<T>(config, views, cache))
            : null;
    }

    public bool IsCurrent()
    {
        if (!final.IsCurrent(backbone.Norm) || !positions.IsOf(backbone.Positions?.Weight))
            return false;
        foreach (var layer in layers)
        {
            if (!layer.IsCurrent())
                return false;
        }
        return true;
    }

    /// <summary>Before a pass: room for the rows, and what each sees.</summary>
    public void Prepare(int rows, int length, Tensor? segments)
    {
        buffers.Reserve(rows);
        attention.Prepare(rows, length, segments, backbone.Norm.parameters().First());
    }

    /// <summary>Puts a row's embedding, times a factor, at the input of the layers.</summary>
    public void Start(int row, T* embedding, T factor)
    {
        T* to = buffers.State + (long)row * width;
        T* position = positions.Address == null ? null : positions.Address + (long)attention.Position(row) * width;
        for (var i = 0; i < width; i++)
        {
            var value = factor == T.One ? embedding[i] : embedding[i] * factor;
            to[i] = position == null ? value : value + position[i];
        }
    }

    /// <summary>Number of items of a phase.</summary>
    public int Items(int phase, int rows, int threads)
    {
        var norms = (rows + NormRows - 1) / NormRows;
        if (phase == Phases - 1)
            return norms;
        var layer = layers[phase / LayerPhases];
        return (phase % LayerPhases) switch
        {
            1 => layer.Projections.Sum(linear => StepSplit.Of(linear.Outputs, threads).Count),
            2 => rows * Config.KeyValueHeads,
            3 or 6 => StepSplit.Of(width, threads).Count,
            5 => StepSplit.Of(inner, threads).Count,
            _ => norms,
        };
    }

    /// <summary>Computes an item of a phase for some rows.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="item">The item.</param>
    /// <param name="start">The first of the rows.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="threads">Threads that share the phase.</param>
    public void Item(int phase, int item, int start, int rows, int threads)
    {
        var (number, part) = (phase / LayerPhases, phase % LayerPhases);
        var layer = number < layers.Length ? layers[number] : null;
        long first = start;
        switch (part)
        {
            case 0:
                var before = number == 0 ? null : layers[number - 1].FeedForwardAfterNorm;
                Normalise(item, start, rows, before, layer?.AttentionNorm ?? final);
                break;
            case 1:
                var of = 0;
                long column = 0;
                for (int count; item >= (count = StepSplit.Of(layer!.Projections[of].Outputs, threads).Count); item -= count)
                    column += layer.Projections[of++].Outputs;
                var linear = layer!.Projections[of];
                var (from, outputs) = StepSplit.Of(linear.Outputs, threads).Part(item);
                T* projected = buffers.Projected + first * buffers.ProjectedWidth + column;
                linear.Run(rows, from, outputs, buffers.Normed + first * width, projected, buffers.ProjectedWidth, add: false);
                break;
            case 2:
                attention.Run(layer!, start + item / Config.KeyValueHeads, item % Config.KeyValueHeads, buffers);
                break;
            case 3:
                Residual(layer!.Output, buffers.Attended, item, start, rows, threads, layer.AttentionAfterNorm is not null);
                break;
            case 4:
                Normalise(item, start, rows, layer!.AttentionAfterNorm, layer.FeedForwardNorm);
                break;
            case 5:
                Inner(layer!, item, start, rows, threads);
                break;
            default:
                Residual(layer!.Down, buffers.Inner, item, start, rows, threads, layer.FeedForwardAfterNorm is not null);
                break;
        }
    }

    public void Dispose() => buffers.Dispose();

    // state += after(branch) where there is a norm behind the branch; then the norm of what comes next.
    private void Normalise(int item, int start, int rows, StepNorm<T>? after, StepNorm<T> next)
    {
        for (var row = start + item * NormRows; row < start + Math.Min(rows, (item + 1) * NormRows); row++)
        {
            T* state = buffers.State + (long)row * width;
            if (after is not null)
            {
                T* branch = buffers.Branch + (long)row * width;
                after.Run(branch, branch, width);
                for (var i = 0; i < width; i++)
                    state[i] += branch[i];
            }
            next.Run(state, buffers.Normed + (long)row * width, width);
        }
    }

    private void Residual(StepLinear<T> linear, T* from, int item, int start, int rows, int threads, bool isBranch)
    {
        var (first, outputs) = StepSplit.Of(width, threads).Part(item);
        T* to = (isBranch ? buffers.Branch : buffers.State) + (long)start * width;
        linear.Run(rows, first, outputs, from + (long)start * linear.Inputs, to, width, add: !isBranch);
    }

    private void Inner(StepLayer<T> layer, int item, int start, int rows, int threads)
    {
        var (first, outputs) = StepSplit.Of(inner, threads).Part(item);
        T* x = buffers.Normed + (long)start * width;
        T* gate = buffers.Gates + 2L * start * inner;
        layer.Inner[0].Run(rows, first, outputs, x, gate, 2 * inner, add: false);
        var joint = Config.GatedFeedForward && layer.Inner.Length == 1;
        if (layer.Inner.Length > 1)
            layer.Inner[1].Run(rows, first, outputs, x, gate + inner, 2 * inner, add: false);
        else if (joint && !layer.Inner[0].IsCall)
            layer.Inner[0].Run(rows, inner + first, outputs, x, gate, 2 * inner, add: false);
        for (var row = 0; row < rows; row++)
        {
            T* own = gate + 2L * row * inner + first;
            T* to = buffers.Inner + ((long)start + row) * inner + first;
            if (Config.Activation == Activation.Relu)
                GateKernel.Rectify(own, Config.GatedFeedForward ? own + inner : null, to, outputs);
            else
                GateKernel.Row(own, Config.GatedFeedForward ? own + inner : null, to, outputs, Config.Activation == Activation.GeluTanh);
        }
    }
}
