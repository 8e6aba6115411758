namespace PostTrain.Search;

/// <summary>A step of a solution, as a generator wrote it.</summary>
/// <param name="Text">Its text, with the separator that ended it. An empty step ends a solution.</param>
/// <param name="End">The continuation or end of the solution after the step.</param>
public sealed record SearchStep(string Text, StepEnd End = StepEnd.Open) : IBranchHolder
{
    /// <summary>The tokens of the step; empty where the generator has none.</summary>
    public int[] Tokens { get; init; } = [];

    /// <summary>log π of the step given what stands before it, the sum over its tokens: the prior of a tree search. Null where it is not
    /// known.</summary>
    public double? LogProb { get; init; }

    // What the generator keeps to go on from here.
    internal BranchState? State { get; set; }

    BranchState? IBranchHolder.State
    {
        get => State;
        set => State = value;
    }
}
