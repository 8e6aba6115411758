using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The <see cref="IPositionStep"/> of a decoder of plain layers in CPU memory.</summary>
/// <remarks>Rows do not depend on each other: each row's numbers are the same to the bit in any batch and with any number of
/// threads.</remarks>
internal sealed unsafe class PositionStep<T> : IPositionStep
    where T : unmanaged, IFloatingPointIeee754<T>
{
    // Weights that stay in a core's own cache: then each thread takes rows of its own through all layers.
    private const long CachedBytes = 2L << 20;

    // Products of this many weights and rows are worth a second thread.
    private const long ParallelWork = 400_000;

    private readonly StepBody<T> body;
    private readonly StepLinear<T>? tokens;
    private readonly StepLinear<T>? head;
    private readonly Backbone backbone;
    private readonly KeyValueCache cache;
    private readonly DecoderConfig config;
    private readonly long weights;

    private PositionStep(StepBody<T> body, StepLinear<T>? tokens, StepLinear<T>? head, Backbone backbone, KeyValueCache cache)
    {
        (this.body, this.tokens, this.head, this.backbone, this.cache) = (body, tokens, head, backbone, cache);
        config = body.Config;
        weights = body.Weights + (head is null ? 0 : (long)head.Inputs * head.Outputs);
    }

    public bool HasEnds => tokens is not null && head is not null;

    /// <summary>The step of a decoder; null if it has norms with hooks, or weights that are not in CPU memory.</summary>
    public static PositionStep<T>? Of(
        DecoderConfig config,
        Backbone backbone,
        nn.Module<Tensor, Tensor>? head,
        AttentionViews views,
        KeyValueCache cache
    )
    {
        if (StepBody<T>.Of(config, backbone, views, cache) is not { } body)
            return null;
        var tokens = StepLinear<T>.Plain(backbone.Tokens);
        var projection = tokens is null && head is null ? null : StepLinear<T>.Plain(head ?? backbone.Tokens.Projection);
        return new PositionStep<T>(body, tokens, projection, backbone, cache);
    }

    public bool IsCurrent(nn.Module<Tensor, Tensor>? output) =>
        body.IsCurrent() && (tokens?.IsCurrent(backbone.Tokens) ?? true) && (head?.IsCurrent(output ?? backbone.Tokens.Projection) ?? true);

    public Tensor Logits(Tensor ids, Tensor? segments)
    {
        if (tokens is null || head is null)
            throw new InvalidOperationException("The step has no embedding or no output projection of its own.");
        var rows = cache.Batch;
        body.Prepare(rows, cache.Held + 1, segments);
        using (var own = ids.contiguous())
        {
            var numbers = TensorMemory.Address<long>(own);
            for (var row = 0; row < rows; row++)
            {
                if (numbers[row] < 0 || numbers[row] >= tokens.Outputs)
                    throw new ArgumentException($"ids holds {numbers[row]}, expected ids from 0 to {tokens.Outputs - 1}.", nameof(ids));
                body.Start(row, tokens.Row(numbers[row]), VectorMath.Number<T>(config.EmbeddingScale));
            }
        }
        using var scope = NewDisposeScope();
        var logits = empty(rows, head.Outputs, dtype: TensorMemory.TypeOf<T>());
        Run(rows, null, TensorMemory.Address<T>(logits));
        return (config.LogitSoftCap is { } cap ? logits.div(cap).tanh().mul(cap) : logits).MoveToOuterDisposeScope();
    }

    public Tensor Hidden(Tensor embeddings, Tensor? segments)
    {
        var rows = cache.Batch;
        body.Prepare(rows, cache.Held + 1, segments);
        using (var given = embeddings.contiguous())
        {
            for (var row = 0; row < rows; row++)
                body.Start(row, TensorMemory.Address<T>(given) + (long)row * config.HiddenSize, T.One);
        }
        var hidden = empty(rows, 1, config.HiddenSize, dtype: TensorMemory.TypeOf<T>());
        Run(rows, TensorMemory.Address<T>(hidden), null);
        return hidden;
    }

    public void Dispose() => body.Dispose();

    private void Run(int rows, T* hidden, T* logits)
    {
        var threads = body.HasCalls || rows * weights < ParallelWork ? 1 : get_num_threads();
        var phases = body.Phases + 1;
        if (threads > 1 && rows >= 2 * threads && weights * sizeof(T) <= CachedBytes)
        {
            var size = (rows + threads - 1) / threads;
            Workers.Run(
                (rows + size - 1) / size,
                Workers.ParallelSize,
                part =>
                {
                    var (start, count) = ((int)part * size, Math.Min(size, rows - (int)part * size));
                    for (var phase = 0; phase < phases; phase++)
                    for (var (item, items) = (0, Items(phase, count, 1)); item < items; item++)
                        Item(phase, item, start, count, 1);
                }
            );
            return;
        }
        new PhaseTeam(phases, phase => Items(phase, rows, threads), (phase, item) => Item(phase, item, 0, rows, threads)).Run(threads);

        int Items(int phase, int count, int team) =>
            phase < body.Phases ? body.Items(phase, count, team)
            : logits == null ? 1
            : StepSplit.Of(head!.Outputs, team).Count;

        void Item(int phase, int item, int start, int count, int team)
        {
            if (phase < body.Phases)
            {
                body.Item(phase, item, start, count, team);
                return;
            }
            var from = body.Result + (long)start * config.HiddenSize;
            if (logits == null)
            {
                new ReadOnlySpan<T>(from, count * config.HiddenSize).CopyTo(
                    new Span<T>(hidden + (long)start * config.HiddenSize, count * config.HiddenSize)
                );
                return;
            }
            var (first, outputs) = StepSplit.Of(head!.Outputs, team).Part(item);
            head.Run(count, first, outputs, from, logits + (long)start * head.Outputs, head.Outputs, add: false);
        }
    }
}
