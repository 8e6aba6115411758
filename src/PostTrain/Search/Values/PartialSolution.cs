using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>A problem and the first steps of a solution, perhaps all.</summary>
public sealed class PartialSolution
{
    private readonly PartialSolution? parent;

    private PartialSolution(Problem problem, PartialSolution? parent, SearchStep? last)
    {
        (Problem, this.parent, Last) = (problem, parent, last);
        Text = parent is null ? "" : parent.Text + last!.Text;
        StepCount = parent is null ? 0 : parent.StepCount + 1;
        TokenCount = parent is null ? 0 : parent.TokenCount + last!.Tokens.Length;
    }

    /// <summary>The problem.</summary>
    public Problem Problem { get; }

    /// <summary>The text of all steps, without the prompt.</summary>
    public string Text { get; }

    /// <summary>Number of steps.</summary>
    public int StepCount { get; }

    /// <summary>Tokens of all steps.</summary>
    public int TokenCount { get; }

    /// <summary>The last step; null at the start.</summary>
    public SearchStep? Last { get; }

    /// <summary>True if nothing follows: the last step ended the solution, or is empty, without text and tokens.</summary>
    public bool IsComplete => Last is not null && (Last.End != StepEnd.Open || Last is { Text.Length: 0, Tokens.Length: 0 });

    /// <summary>The steps, first to last.</summary>
    public IReadOnlyList<SearchStep> Steps
    {
        get
        {
            var steps = new SearchStep[StepCount];
            for (var at = this; at.parent is not null; at = at.parent)
                steps[at.StepCount - 1] = at.Last!;
            return steps;
        }
    }

    /// <summary>The solution before its last step; null at the start.</summary>
    internal PartialSolution? Before => parent;

    /// <summary>A solution without a step.</summary>
    public static PartialSolution Start(Problem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return new PartialSolution(problem, null, null);
    }

    /// <summary>The solution with one step more.</summary>
    /// <exception cref="InvalidOperationException">The solution is complete.</exception>
    public PartialSolution Then(SearchStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return IsComplete
            ? throw new InvalidOperationException("the solution is complete, expected one that goes on")
            : new PartialSolution(Problem, this, step);
    }

    /// <summary>The solution as rewards take it.</summary>
    public Completion ToCompletion() => new(Problem, Text, [.. Steps.SelectMany(step => step.Tokens)], Last is { End: StepEnd.Finished });

    /// <inheritdoc/>
    public override string ToString() => Text;
}
