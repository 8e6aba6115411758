using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>Says whether the samples so far are enough.</summary>
public sealed class StopRule
{
    private readonly Func<IReadOnlyList<ScoredSolution>, bool> isEnough;

    private StopRule(string name, Func<IReadOnlyList<ScoredSolution>, bool> isEnough) => (Name, this.isEnough) = (name, isEnough);

    /// <summary>The name in messages and tables.</summary>
    public string Name { get; }

    /// <summary>Adaptive consistency: stops when <see cref="AdaptiveConsistency.Posterior"/> of the two leading answers is above a
    /// bound.</summary>
    /// <param name="bound">From ½ to below 1; 0.95 by default.</param>
    /// <param name="answer">The answer of a solution, null for none; extracted from its text by default.</param>
    public static StopRule Posterior(double bound = 0.95, Func<PartialSolution, string?>? answer = null)
    {
        if (!(bound is >= 0.5 and < 1))
            throw new ArgumentOutOfRangeException(nameof(bound), bound, "bound must be from 0.5 to below 1");
        answer ??= solution => AnswerExtraction.Extract(solution.Text);
        return new StopRule(
            "posterior",
            solutions =>
            {
                var vote = Voting.Majority([.. solutions.Select(solution => answer(solution.Solution))]);
                int[] votes = [.. vote.Weights.Select(weight => (int)weight).OrderDescending()];
                return votes.Length > 0 && AdaptiveConsistency.Posterior(votes[0], votes.ElementAtOrDefault(1)) > bound;
            }
        );
    }

    /// <summary>Confidence: stops when a solution has at least this score, for example <see cref="SolutionValue.Likelihood"/> or a reward
    /// model's.</summary>
    /// <param name="least">The score.</param>
    public static StopRule Score(double least)
    {
        if (double.IsNaN(least))
            throw new ArgumentOutOfRangeException(nameof(least), least, "least must be a number");
        return new StopRule("score", solutions => solutions.Any(solution => solution.Score >= least));
    }

    /// <summary>A rule of one's own.</summary>
    /// <param name="name">The name in messages and tables.</param>
    /// <param name="isEnough">Of the solutions so far, at least one.</param>
    public static StopRule Of(string name, Func<IReadOnlyList<ScoredSolution>, bool> isEnough)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(isEnough);
        return new StopRule(name, isEnough);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal bool IsEnough(IReadOnlyList<ScoredSolution> solutions) => isEnough(solutions);
}
