namespace PostTrain.Search;

/// <summary>A node of a <see cref="MonteCarloTree"/>.</summary>
public sealed class SearchNode
{
    private readonly List<SearchNode> children = [];
    private double sum;
    private double most = double.NegativeInfinity;

    internal SearchNode(PartialSolution solution) => Solution = solution;

    /// <summary>The solution so far.</summary>
    public PartialSolution Solution { get; }

    /// <summary>The branches, in the order in which they were drawn.</summary>
    public IReadOnlyList<SearchNode> Children => children;

    /// <summary>Simulations through the node.</summary>
    public int Visits { get; private set; }

    /// <summary>Mean value of the simulations through the node; NaN before the first.</summary>
    public double Mean => Visits == 0 ? double.NaN : sum / Visits;

    /// <summary>The highest of these values; −∞ before the first.</summary>
    public double Maximum => most;

    /// <summary>Simulations under way.</summary>
    internal int Pending { get; set; }

    /// <summary>Steps that were drawn, or are being drawn, from here.</summary>
    internal int Draws { get; set; }

    /// <summary>The value of the solution itself, where it is known.</summary>
    internal ScoredSolution? Own { get; set; }

    /// <summary>The branch with the most visits, the more valuable and then the first among equals; null where there is none.</summary>
    public SearchNode? MostVisited =>
        children.OrderByDescending(child => child.Visits).ThenByDescending(child => child.Mean).FirstOrDefault();

    internal void Add(SearchNode child) => children.Add(child);

    internal void BackUp(double value)
    {
        Visits++;
        sum += value;
        most = Math.Max(most, value);
    }

    internal double Value(TreeBackup backup) => backup == TreeBackup.Maximum ? most : Mean;

    /// <summary>The branch that a rule descends to, the first among equals.</summary>
    internal SearchNode Select(TreeSelection rule, TreeBackup backup)
    {
        var priors = Priors();
        SearchNode? best = null;
        var highest = double.NegativeInfinity;
        for (var i = 0; i < children.Count; i++)
        {
            var child = children[i];
            // A branch whose first simulation is under way counts as its parent does.
            var value =
                child.Visits > 0 ? child.Value(backup)
                : Visits > 0 ? Value(backup)
                : 0;
            var index = rule.IndexOf(
                new BranchStatistics(value, Math.Max(1, child.Visits + child.Pending), Math.Max(1, Visits + Pending), priors[i])
            );
            if (best is null || index > highest)
                (best, highest) = (child, index);
        }

        return best!;
    }

    private double[] Priors()
    {
        if (children.Any(child => child.Solution.Last!.LogProb is null))
            return [.. Enumerable.Repeat(1.0 / children.Count, children.Count)];
        var largest = children.Max(child => child.Solution.Last!.LogProb!.Value);
        if (!double.IsFinite(largest))
            return [.. Enumerable.Repeat(1.0 / children.Count, children.Count)];
        double[] weights = [.. children.Select(child => Math.Exp(child.Solution.Last!.LogProb!.Value - largest))];
        var total = weights.Sum();
        return [.. weights.Select(weight => weight / total)];
    }
}
