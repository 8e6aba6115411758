using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>The rule by which a tree search descends: the branch with the highest index.</summary>
public sealed class TreeSelection
{
    private readonly Func<BranchStatistics, double> index;

    private TreeSelection(string name, Func<BranchStatistics, double> index) => (Name, this.index) = (name, index);

    /// <summary>The name in messages.</summary>
    public string Name { get; }

    /// <summary>UCT: Q + c √(ln N / n) (Kocsis and Szepesvári 2006). For values of range R, c = R √2 is UCB1's.</summary>
    /// <param name="exploration">c, at least 0; √2 by default.</param>
    public static TreeSelection Uct(double exploration = 1.4142135623730951)
    {
        Guard.NotNegative(exploration, nameof(exploration));
        return new TreeSelection("uct", branch => branch.Value + exploration * Math.Sqrt(Math.Log(branch.ParentVisits) / branch.Visits));
    }

    /// <summary>PUCT: Q + c P √N / (1 + n) (Silver et al. 2017).</summary>
    /// <param name="exploration">c, at least 0; 1 by default.</param>
    public static TreeSelection Puct(double exploration = 1)
    {
        Guard.NotNegative(exploration, nameof(exploration));
        return new TreeSelection(
            "puct",
            branch => branch.Value + exploration * branch.Prior * Math.Sqrt(branch.ParentVisits) / (1 + branch.Visits)
        );
    }

    /// <summary>The modified UCT whose root value has an error of O(1/√n): Q + c N^{1/4} / n^{1/2} (Shah, Xie and Xu 2022,
    /// arXiv:1902.05213, with η = ½; Chang 2025, arXiv:2402.07063, compares with it).</summary>
    /// <param name="exploration">c, at least 0; 1 by default.</param>
    public static TreeSelection Polynomial(double exploration = 1)
    {
        Guard.NotNegative(exploration, nameof(exploration));
        return new TreeSelection(
            "polynomial",
            branch => branch.Value + exploration * Math.Sqrt(Math.Sqrt(branch.ParentVisits) / branch.Visits)
        );
    }

    /// <summary>A rule of one's own.</summary>
    /// <param name="name">The name in messages.</param>
    /// <param name="index">The index of a branch; not NaN.</param>
    public static TreeSelection Of(string name, Func<BranchStatistics, double> index)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(index);
        return new TreeSelection(name, index);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal double IndexOf(BranchStatistics branch)
    {
        var found = index(branch);
        return double.IsNaN(found)
            ? throw new InvalidOperationException($"selection '{Name}' gave NaN for {branch}, expected a number")
            : found;
    }
}
