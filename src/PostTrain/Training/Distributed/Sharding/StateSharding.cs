namespace PostTrain.Training.Distributed;

/// <summary>Part of a training's memory that is shared out among the ranks (Rajbhandari et al. 2020, arXiv:1910.02054, §5).</summary>
public enum StateSharding
{
    /// <summary>Nothing: each rank holds the state of all parameters.</summary>
    None,

    /// <summary>The optimiser's state, ZeRO-1: each rank holds and updates that of its own parameters.</summary>
    Optimizer,

    /// <summary>The optimiser's state and the sums of gradients, ZeRO-2: after each part of a batch a rank keeps the sums of its own
    /// parameters only.</summary>
    Gradients,
}
