namespace PostTrain.Models;

/// <summary>A module that takes part in each update of a training run over it: an adapter with a penalty, a quantiser with a
/// schedule.</summary>
/// <remarks>Trainers look for such modules in the tree of what they train, when they are made.</remarks>
public interface IUpdateTermSource
{
    /// <summary>The terms; the same objects at each reading.</summary>
    IReadOnlyList<IUpdateTerm> UpdateTerms { get; }
}
