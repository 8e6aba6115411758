using PostTrain.Data;
using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>Options of PPO-ptx (InstructGPT, arXiv:2203.02155, eq. 2): γ·E[log π(y|x)] of demonstrations is added to the objective against
/// forgetting.</summary>
/// <param name="Demonstrations">At least one.</param>
public sealed record PtxOptions(IReadOnlyList<Demonstration> Demonstrations)
{
    /// <summary>γ, above 0: the weight of the mean cross-entropy per token.</summary>
    /// <value>The default is 1.</value>
    public double Coefficient { get; init; } = 1;

    /// <summary>Number of demonstrations per update.</summary>
    /// <value>The default is 8.</value>
    public int BatchSize { get; init; } = 8;

    /// <summary>True to append the tokenizer's end-of-sequence token to completions without an end.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Demonstrations);
        if (Demonstrations.Count == 0)
            throw new ArgumentException("Demonstrations is empty, expected at least one", nameof(Demonstrations));
        Guard.Positive(Coefficient, nameof(Coefficient));
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
    }
}
