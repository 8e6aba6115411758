using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>Chooses the answer out of several solutions of a problem.</summary>
public sealed class SolutionChoice
{
    private readonly Func<IReadOnlyList<ScoredSolution>, int> choose;

    private SolutionChoice(string name, Func<IReadOnlyList<ScoredSolution>, int> choose) => (Name, this.choose) = (name, choose);

    /// <summary>The best score, the first among equals ("naive" best of N).</summary>
    public static SolutionChoice Best { get; } =
        new("best", solutions => Voting.BestOfN([.. solutions.Select(solution => solution.Score)]));

    /// <summary>The answer with most votes: self-consistency (<see cref="Voting.Majority"/>).</summary>
    public static SolutionChoice Majority { get; } = MajorityOf(Answer);

    /// <summary>The answer with the highest sum of scores. Scores must not be negative.</summary>
    public static SolutionChoice Weighted { get; } = WeightedOf(Answer);

    /// <summary>The name in messages and tables.</summary>
    public string Name { get; }

    /// <summary><see cref="Majority"/> with answers of one's own.</summary>
    /// <param name="answer">The answer of a solution; null where it has none, which votes for nothing.</param>
    public static SolutionChoice MajorityOf(Func<PartialSolution, string?> answer) => Vote("majority", answer, isWeighted: false);

    /// <summary><see cref="Weighted"/> with answers of one's own.</summary>
    /// <param name="answer">The answer of a solution; null where it has none, which votes for nothing.</param>
    public static SolutionChoice WeightedOf(Func<PartialSolution, string?> answer) => Vote("weighted", answer, isWeighted: true);

    /// <summary>A rule of one's own.</summary>
    /// <param name="name">The name in messages and tables.</param>
    /// <param name="choose">The index of the chosen one of at least one solution.</param>
    public static SolutionChoice Of(string name, Func<IReadOnlyList<ScoredSolution>, int> choose)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(choose);
        return new SolutionChoice(name, choose);
    }

    /// <summary>The index of the chosen solution.</summary>
    /// <param name="solutions">At least one.</param>
    /// <exception cref="ArgumentException">There is no solution.</exception>
    /// <exception cref="InvalidOperationException">The rule gave no index of one.</exception>
    public int Choose(IReadOnlyList<ScoredSolution> solutions)
    {
        ArgumentNullException.ThrowIfNull(solutions);
        if (solutions.Count == 0)
            throw new ArgumentException("solutions is empty, expected at least one", nameof(solutions));
        var chosen = choose(solutions);
        return chosen >= 0 && chosen < solutions.Count
            ? chosen
            : throw new InvalidOperationException($"choice '{Name}' gave {chosen}, expected an index from 0 to {solutions.Count - 1}");
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static string? Answer(PartialSolution solution) => AnswerExtraction.Extract(solution.Text);

    // The first solution that gave the winning answer; the best score where nobody answered.
    private static SolutionChoice Vote(string name, Func<PartialSolution, string?> answer, bool isWeighted)
    {
        ArgumentNullException.ThrowIfNull(answer);
        return new SolutionChoice(
            name,
            solutions =>
            {
                var vote = Voting.Majority(
                    [.. solutions.Select(solution => answer(solution.Solution))],
                    isWeighted ? [.. solutions.Select(solution => solution.Score)] : null
                );
                if (vote.Answer is null)
                    return Voting.BestOfN([.. solutions.Select(solution => solution.Score)]);
                var winner = vote.Weights.ToList().IndexOf(vote.Weights.Max());
                return vote.Classes.ToList().IndexOf(winner);
            }
        );
    }
}
