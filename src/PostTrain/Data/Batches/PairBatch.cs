using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Data.Batches;

/// <summary>Preference pairs side by side.</summary>
/// <param name="Sequences">[2B,T]: the chosen completions of all B pairs, then the rejected ones in the same order.</param>
public sealed record PairBatch(SequenceBatch Sequences) : ITrainingBatch
{
    /// <summary>Precomputed sequence log-probs under the reference, [2,B], float64: of the chosen completions, then of the
    /// rejected ones.</summary>
    /// <value>Null by default: the reference, if there is one, runs in the step.</value>
    public Tensor? ReferenceLogProbs { get; init; }

    /// <summary>Tokens of all chosen completions.</summary>
    public double ChosenTokens { get; } = Sequences.LossMask.narrow(0, 0, Sequences.Rows / 2).sum().ToDouble();

    /// <summary>Mean tokens of the chosen completions; 1 where none has any, whose log-probs are 0.</summary>
    public double MeanChosenLength => ChosenTokens > 0 ? ChosenTokens / Rows : 1;

    /// <summary>Pairs.</summary>
    public int Rows => Sequences.Rows / 2;

    /// <inheritdoc/>
    public double Tokens => Sequences.Tokens;

    /// <summary>Pairs.</summary>
    public double Denominator => Rows;

    /// <summary>Lays out pairs, two rows each.</summary>
    /// <param name="pairs">At least one: each prompt with its preferred completion, and with the other one.</param>
    /// <param name="paddingId">Fills inputs and targets behind the end of a sequence.</param>
    /// <param name="padToMultipleOf">As for <see cref="SequenceBatch.Of"/>.</param>
    public static PairBatch Of(IReadOnlyList<(TokenExample Chosen, TokenExample Rejected)> pairs, int paddingId, int padToMultipleOf = 1)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return new PairBatch(
            SequenceBatch.Of([.. pairs.Select(pair => pair.Chosen), .. pairs.Select(pair => pair.Rejected)], paddingId, padToMultipleOf)
        );
    }

    /// <summary>Both completions of some pairs, [2b,T]: the chosen ones, then the rejected ones.</summary>
    /// <param name="start">First pair.</param>
    /// <param name="count">Number of pairs.</param>
    public SequenceBatch Part(int start, int count) =>
        Sequences.Each(values => cat([values.narrow(0, start, count), values.narrow(0, Rows + start, count)], 0));
}
