using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The check that no sequence of a pass is longer than the context.</summary>
internal static class ContextLimit
{
    /// <summary>Refuses a pass with a sequence over the limit. Columns may be more: padding takes no position.</summary>
    /// <param name="columns">Positions of a row, cached ones included.</param>
    /// <param name="segments">The segment map, [B,S], or null: every column is a token.</param>
    /// <param name="contextLength">The limit.</param>
    /// <param name="name">The parameter that the error names.</param>
    public static void Check(long columns, Tensor? segments, int contextLength, string name)
    {
        // Read from the device only where the columns alone do not decide.
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

    /// <summary>For each of some tokens, [B,T], the tokens that its sequence has in the row's segment map, [B,S]; 0 at padding. It belongs
    /// to the caller's scope.</summary>
    public static Tensor SequenceLengths(Tensor own, Tensor segments) => own.unsqueeze(-1).eq(segments.unsqueeze(1)).sum(-1).mul(own.ne(0));
}
