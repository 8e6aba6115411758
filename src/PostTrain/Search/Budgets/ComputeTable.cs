using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Training.Reports;

namespace PostTrain.Search;

/// <summary>Compute-optimal test-time search: which method and width to take for a problem of some difficulty within some tokens, from
/// held-out problems (Snell et al. 2024, arXiv:2408.03314, section 3).</summary>
/// <remarks>The best cell of many is the luckiest too: judge a table on other problems than it was fitted on, and look at the cells'
/// intervals.</remarks>
public sealed class ComputeTable
{
    private readonly double[] bounds;

    private ComputeTable(double[] bounds, IReadOnlyList<ComputeCell> cells) => (this.bounds, Cells) = (bounds, cells);

    /// <summary>All cells, by level, then in the order in which the methods came.</summary>
    public IReadOnlyList<ComputeCell> Cells { get; }

    /// <summary>Upper bounds of all levels but the last; a difficulty equal to one belongs below it.</summary>
    public IReadOnlyList<double> Bounds => bounds;

    /// <summary>Fits a table: levels hold about as many trials each.</summary>
    /// <param name="trials">Of held-out problems, at least one.</param>
    /// <param name="levels">Levels of difficulty, at least 1; fewer where the difficulties do not differ. Default 5.</param>
    /// <exception cref="ArgumentException">There is no trial, or a number is not finite.</exception>
    public static ComputeTable Fit(IReadOnlyList<SearchTrial> trials, int levels = 5)
    {
        ArgumentNullException.ThrowIfNull(trials);
        Guard.AtLeast(levels, 1, nameof(levels));
        if (trials.Count == 0 || trials.Any(trial => !double.IsFinite(trial.Difficulty) || !(trial.Tokens >= 0)))
            throw new ArgumentException(
                $"trials holds {trials.Count} trials, expected at least one, each with a finite difficulty and tokens of at least 0",
                nameof(trials)
            );
        double[] sorted = [.. trials.Select(trial => trial.Difficulty).Order()];
        double[] bounds =
        [
            .. Enumerable
                .Range(1, levels - 1)
                .Select(level => sorted[(int)Math.Ceiling(level * (double)sorted.Length / levels) - 1])
                .Where(bound => bound < sorted[^1])
                .Distinct(),
        ];
        string[] methods = [.. trials.Select(trial => trial.Method).Distinct()];
        return new ComputeTable(
            bounds,
            [
                .. trials
                    .GroupBy(trial => (Level: LevelOf(bounds, trial.Difficulty), trial.Method))
                    .OrderBy(group => group.Key.Level)
                    .ThenBy(group => Array.IndexOf(methods, group.Key.Method))
                    .Select(group => new ComputeCell(
                        group.Key.Method,
                        group.Key.Level,
                        new Proportion(group.Count(trial => trial.IsRight), group.Count()),
                        group.Average(trial => trial.Tokens)
                    )),
            ]
        );
    }

    /// <summary>The level of a difficulty, 0 the easiest.</summary>
    public int Level(double difficulty) => LevelOf(bounds, difficulty);

    /// <summary>The method with the most right answers among those that cost at most a budget on average; the cheaper among equals, the
    /// cheapest where none is within it.</summary>
    /// <param name="difficulty">Of the problem.</param>
    /// <param name="budget">Tokens; +∞ by default.</param>
    public ComputeCell Choose(double difficulty, double budget = double.PositiveInfinity)
    {
        if (double.IsNaN(difficulty))
            throw new ArgumentOutOfRangeException(nameof(difficulty), difficulty, "difficulty must be a number");
        if (!(budget > 0))
            throw new ArgumentOutOfRangeException(nameof(budget), budget, "budget must be above 0");
        ComputeCell[] cells = [.. Cells.Where(cell => cell.Level == Level(difficulty))];
        return cells
                .Where(cell => cell.Tokens <= budget)
                .OrderByDescending(cell => cell.Right.Value)
                .ThenBy(cell => cell.Tokens)
                .FirstOrDefault()
            ?? cells.MinBy(cell => cell.Tokens)!;
    }

    /// <summary>The search method that takes for each problem what the table chooses.</summary>
    /// <param name="methods">Methods by the names of the trials.</param>
    /// <param name="difficulty">Estimates a problem's difficulty as the trials did.</param>
    /// <param name="budget">Tokens; +∞ by default.</param>
    /// <exception cref="ArgumentException">A method of the table is not among them.</exception>
    public ISearchMethod Method(
        IReadOnlyDictionary<string, ISearchMethod> methods,
        Func<Problem, double> difficulty,
        double budget = double.PositiveInfinity
    )
    {
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(difficulty);
        if (Cells.FirstOrDefault(cell => !methods.ContainsKey(cell.Method)) is { } missing)
            throw new ArgumentException($"methods has no '{missing.Method}', expected every method of the table", nameof(methods));
        return SearchMethod.Of(
            "compute-optimal",
            (problem, seed, cancellation) => methods[Choose(difficulty(problem), budget).Method].RunAsync(problem, seed, cancellation)
        );
    }

    private static int LevelOf(double[] bounds, double difficulty) => bounds.Count(bound => difficulty > bound);
}
