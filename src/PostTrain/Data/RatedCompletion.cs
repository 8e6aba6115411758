using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>A completion that somebody liked or did not.</summary>
/// <param name="Prompt">The text that it continues.</param>
/// <param name="Completion">The completion.</param>
/// <param name="Label">True: liked.</param>
public sealed record RatedCompletion(MarkedText Prompt, MarkedText Completion, bool Label)
{
    /// <summary>Takes pairs apart: first all chosen completions, then all rejected ones, each in the order of the pairs.</summary>
    public static IReadOnlyList<RatedCompletion> Unpair(IReadOnlyList<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return
        [
            .. pairs.Select(pair => new RatedCompletion(pair.Prompt, pair.Chosen, true)),
            .. pairs.Select(pair => new RatedCompletion(pair.Prompt, pair.Rejected, false)),
        ];
    }
}
