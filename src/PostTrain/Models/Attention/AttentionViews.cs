using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The masks and rotary angles of one forward pass, computed once for layers with the same attention.</summary>
internal sealed class AttentionViews : IDisposable
{
    private readonly AttentionPattern pattern = new();
    private readonly int?[] windows;
    private readonly RotaryEmbedding[] rotaries;
    private readonly (int Window, int Rotary)[] kinds;

    public AttentionViews(DecoderConfig config)
    {
        windows = [.. config.Attention.Select(spec => spec.Window).Distinct()];
        var rotary = config.Attention.Select(spec => spec.Rotary).OfType<RotarySpec>().Distinct().ToArray();
        rotaries = Array.ConvertAll(rotary, spec => new RotaryEmbedding(config.HeadSize, config.ContextLength, spec));
        kinds = [.. config.Attention.Select(spec => (Array.IndexOf(windows, spec.Window), Array.IndexOf(rotary, spec.Rotary)))];
    }

    /// <summary>The windows of the layers.</summary>
    internal int?[] Windows => windows;

    /// <summary>The rotary embeddings of the layers.</summary>
    internal RotaryEmbedding[] Rotaries => rotaries;

    /// <summary>Numbers of window and rotary embedding (−1: none) of layer i, at i modulo their number.</summary>
    internal (int Window, int Rotary)[] Kinds => kinds;

    /// <summary>The inputs of layer i, at i modulo their number, and the positions, [B or 1,T], where they are learned or a segment map is
    /// given.</summary>
    public (AttentionInputs[] Inputs, Tensor? Positions) Create(
        Tensor? segments,
        long queries,
        long keys,
        Tensor like,
        KeyValueCache? cache,
        KeyValuePrefix? prefix
    )
    {
        var isFused = cache is null && (prefix?.Length ?? 0) == 0 && queries == keys && Fused.TakesLayer(like);
        (VisibleKeys[] Keys, Tensor? Positions)? visible = isFused ? Visible(segments, (int)keys) : null;
        var view = visible is { } map
            ? new AttentionView(new Tensor?[windows.Length], map.Positions)
            : pattern.Create(segments, queries, keys, like, windows);
        var positions = view.Positions;
        if (positions is null && rotaries.Length == 0)
            positions = arange(keys - queries, keys, dtype: ScalarType.Int64, device: like.device).unsqueeze(0);
        var lengths =
            segments is not null && rotaries.Any(rotary => rotary.DependsOnLength(keys))
                ? ContextLimit.SequenceLengths(segments.narrow(1, keys - queries, queries), segments)
                : null;
        var turns = Array.ConvertAll(rotaries, rotary => rotary.At(positions, keys - queries, queries, like, lengths));
        // Once for all layers, whose operators read them in the type that they compute in.
        if (isFused)
            turns = Array.ConvertAll(turns, turn => (turn.Cosine.Widened(), turn.Sine.Widened()));
        return (
            Array.ConvertAll(
                kinds,
                kind => new AttentionInputs(
                    view.Biases[kind.Window],
                    kind.Rotary < 0 ? null : turns[kind.Rotary].Cosine,
                    kind.Rotary < 0 ? null : turns[kind.Rotary].Sine,
                    cache,
                    prefix,
                    visible?.Keys[kind.Window]
                )
            ),
            positions
        );
    }

    // By window; and the positions, unless they are 0, 1, ... in every row.
    private (VisibleKeys[] Keys, Tensor? Positions) Visible(Tensor? segments, int length)
    {
        if (segments is null)
            return (Array.ConvertAll(windows, window => VisibleKeys.All(length, window)), null);
        using var numbers = segments.to(ScalarType.Int64, copy: false).contiguous();
        ReadOnlySpan<long> ids = numbers.data<long>().ToArray();
        if (VisibleKeys.AreWhole(ids, length) && !rotaries.Any(rotary => rotary.DependsOnLength(length)))
            return (Array.ConvertAll(windows, window => VisibleKeys.All(length, window)), null);
        var found = new VisibleKeys[windows.Length];
        long[] positions = [];
        for (var i = 0; i < found.Length; i++)
            found[i] = VisibleKeys.Of(ids, length, windows[i], out positions);
        return (found, tensor(positions).view(-1, length));
    }

    public void Dispose()
    {
        pattern.Dispose();
        foreach (var rotary in rotaries)
            rotary.Dispose();
    }
}
