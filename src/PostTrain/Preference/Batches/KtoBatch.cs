using PostTrain.Data.Batches;
using static TorchSharp.torch;

namespace PostTrain.Preference.Batches;

/// <summary>Judged completions side by side, and the same prompts with one another's completions for KTO's reference point.</summary>
/// <param name="Sequences">[B,T], prompts and their completions.</param>
/// <param name="Mismatched">[B,T'], the same prompts with other examples' completions.</param>
/// <param name="Desirable">[B], bool; true for desirable completions.</param>
public sealed record KtoBatch(SequenceBatch Sequences, SequenceBatch Mismatched, Tensor Desirable) : ITrainingBatch
{
    /// <summary>Precomputed log-probs of the completions under the reference, [1,B], float64.</summary>
    /// <value>Null by default: the reference runs in the step.</value>
    public Tensor? ReferenceLogProbs { get; init; }

    /// <inheritdoc/>
    public int Rows => Sequences.Rows;

    /// <inheritdoc/>
    public double Tokens => Sequences.Tokens;

    /// <summary>Completions.</summary>
    public double Denominator => Rows;

    /// <summary>z₀ of the whole batch, before its first update; null until it is known.</summary>
    internal double? ReferencePoint { get; set; }
}
