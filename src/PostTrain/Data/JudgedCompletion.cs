using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>One completion of a prompt with a judge's thumb up or down, without a partner to compare with.</summary>
/// <param name="Prompt">The text that is continued.</param>
/// <param name="Completion">The continuation.</param>
/// <param name="Desirable">The verdict.</param>
public sealed record JudgedCompletion(MarkedText Prompt, MarkedText Completion, bool Desirable)
{
    /// <summary>Takes pairs apart: all chosen completions, desirable, then all rejected ones, each in the order of the pairs.</summary>
    /// <param name="pairs">The pairs; they stay as they are.</param>
    public static IReadOnlyList<JudgedCompletion> Unpair(IReadOnlyList<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return
        [
            .. pairs.Select(pair => new JudgedCompletion(pair.Prompt, pair.Chosen, true)),
            .. pairs.Select(pair => new JudgedCompletion(pair.Prompt, pair.Rejected, false)),
        ];
    }
}
