namespace PostTrain.Search;

/// <summary>The source of a simulation's value.</summary>
public enum TreeEvaluation
{
    /// <summary>From the value of the new node.</summary>
    Value,

    /// <summary>From the value of the new node's solution, which the generator writes to its end.</summary>
    Rollout,

    /// <summary>From the value of a complete solution, or one of the greatest depth: a simulation goes on, and adds nodes, until there. The
    /// fixed-depth search of the convergence theorems.</summary>
    Descend,
}
