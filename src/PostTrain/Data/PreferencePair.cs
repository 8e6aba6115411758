using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>Two completions of one prompt, of which a judge preferred the first.</summary>
/// <param name="Prompt">The text that both continue.</param>
/// <param name="Chosen">The completion that was preferred.</param>
/// <param name="Rejected">The other completion.</param>
public sealed record PreferencePair(MarkedText Prompt, MarkedText Chosen, MarkedText Rejected)
{
    /// <summary>Probability that the chosen completion is the better one, 0 to 1: a soft label, such as a judge's. Reward models learn from
    /// it; policy trainers use the order only.</summary>
    /// <value>The default is 1.</value>
    public double Probability { get; init; } = 1;
}
