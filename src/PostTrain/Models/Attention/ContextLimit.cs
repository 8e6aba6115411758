using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The check that no sequence of a pass exceeds the context length.</summary>
internal static class ContextLimit
{
    /// <summary>Rejects a pass with a sequence over the limit. There may be more columns: padding takes no position.</summary>
    /// <param name="columns">Positions of a row, including cached ones.</param>
    /// <param name="segments">The segment map, [B,S], or null: every column is a token.</param>
    /// <param name="contextLength">The limit.</param>
    /// <param name="name">The parameter named in the error.</param>
    public static void Check(long columns, Tensor? segments, int contextLength, string name)
    {
        // Read from the device only if the number of columns does not decide.
        if (columns <= contextLength)
            return;
        var longest = segments is null ? columns : Longest(segments);
        if (longest > contextLength)
            throw new ArgumentException(
                $"The sequence has {longest} positions, cached ones included; the limit is the context length, {contextLength}.",
                name
            );
    }

    private static long Longest(Tensor segments)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return SequenceLengths(segments, segments).max().ToInt64();
    }

    /// <summary>Returns the number of tokens of each token's own sequence in the row's segment map, [B,S], for tokens [B,T]; 0 at padding.
    /// The result belongs to the caller's scope.</summary>
    public static Tensor SequenceLengths(Tensor own, Tensor segments) => own.unsqueeze(-1).eq(segments.unsqueeze(1)).sum(-1).mul(own.ne(0));
}
