using PostTrain.Data;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>Completions of a prompt, ranked by a judge from the best to the worst.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Completions">At least two, the best first.</param>
public sealed record RankedCompletions(MarkedText Prompt, IReadOnlyList<string> Completions)
{
    /// <summary>The K(K−1)/2 pairs of the ranking.</summary>
    /// <exception cref="ArgumentException">There are fewer than two completions.</exception>
    public IReadOnlyList<PreferencePair> Pairs
    {
        get
        {
            if (Completions.Count < 2)
                throw new ArgumentException($"'{Prompt}' has {Completions.Count} completions, expected at least 2", nameof(Completions));
            return
            [
                .. Completions.SelectMany(
                    (better, i) => Completions.Skip(i + 1).Select(worse => new PreferencePair(Prompt, better, worse))
                ),
            ];
        }
    }
}
