namespace PostTrain.Search;

/// <summary>One simulation of a tree while it descends.</summary>
internal sealed class TreeSimulation
{
    private readonly MonteCarloOptions options;
    private readonly List<SearchNode> path = [];
    private bool isDone;

    public TreeSimulation(SearchNode root, MonteCarloOptions options)
    {
        this.options = options;
        Node = root;
        Enter(root);
    }

    /// <summary>The current node.</summary>
    public SearchNode Node { get; private set; }

    /// <summary>True if it waits for a step from its node.</summary>
    public bool IsDrawing { get; private set; }

    /// <summary>The number of that step.</summary>
    public int Draw { get; private set; }

    /// <summary>True if its node must be evaluated.</summary>
    public bool HasArrived { get; private set; }

    /// <summary>Goes down to a node that may draw a step, or to an end. Where all steps of a node are being drawn by others, it
    /// waits.</summary>
    public void Descend()
    {
        while (!HasArrived && !IsDrawing)
        {
            if (Node.Solution.IsComplete || Node.Solution.StepCount >= options.Depth)
            {
                HasArrived = true;
            }
            else if (Node.Draws < options.Allowed(Math.Max(1, Node.Visits + Node.Pending)))
            {
                Draw = Node.Draws++;
                IsDrawing = true;
            }
            else if (Node.Children.Count == 0)
            {
                return;
            }
            else
            {
                Enter(Node.Select(options.Selection, options.Backup));
            }
        }
    }

    /// <summary>Takes the step that was drawn: a new node, or the branch that has the same text.</summary>
    public void Take(PartialSolution next)
    {
        IsDrawing = false;
        var known = Node.Children.FirstOrDefault(child =>
            string.Equals(child.Solution.Text, next.Text, StringComparison.Ordinal) && child.Solution.IsComplete == next.IsComplete
        );
        var child = known ?? new SearchNode(next);
        if (known is null)
            Node.Add(child);
        Enter(child);
        HasArrived = known is null && options.Evaluation != TreeEvaluation.Descend;
    }

    public void BackUp(double value)
    {
        isDone = true;
        foreach (var node in path)
        {
            node.Pending--;
            node.BackUp(value);
        }
    }

    /// <summary>Takes back what an unfinished simulation counts.</summary>
    public void Abandon()
    {
        if (isDone)
            return;
        isDone = true;
        foreach (var node in path)
            node.Pending--;
        if (IsDrawing)
            Node.Draws--;
    }

    private void Enter(SearchNode node)
    {
        node.Pending++;
        path.Add(node);
        Node = node;
    }
}
