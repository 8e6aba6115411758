using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>What the layers' attention takes in one forward pass, made once for layers that see alike: masks and rotary angles.</summary>
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
        var view = pattern.Create(segments, queries, keys, like, windows);
        var positions = view.Positions;
        if (positions is null && rotaries.Length == 0)
            positions = arange(keys - queries, keys, dtype: ScalarType.Int64, device: like.device).unsqueeze(0);
        var lengths =
            segments is not null && rotaries.Any(rotary => rotary.DependsOnLength(keys))
                ? ContextLimit.SequenceLengths(segments.narrow(1, keys - queries, queries), segments)
                : null;
        var turns = Array.ConvertAll(rotaries, rotary => rotary.At(positions, keys - queries, queries, like, lengths));
        return (
            Array.ConvertAll(
                kinds,
                kind =>
                    kind.Rotary < 0
                        ? new AttentionInputs(view.Biases[kind.Window], null, null, cache, prefix)
                        : new AttentionInputs(view.Biases[kind.Window], turns[kind.Rotary].Cosine, turns[kind.Rotary].Sine, cache, prefix)
            ),
            positions
        );
    }

    public void Dispose()
    {
        pattern.Dispose();
        foreach (var rotary in rotaries)
            rotary.Dispose();
    }
}
