using PostTrain.Exact;
using PostTrain.Training.Reports;

namespace PostTrain.Refinement;

/// <summary>Counts of problems by correctness before and after.</summary>
/// <remarks>With a = <see cref="Repaired"/> and b = <see cref="Spoiled"/> of the same table, accuracy after = before·(1−b) + (1−before)·a,
/// exactly.</remarks>
/// <param name="RightToRight">Number that stayed correct.</param>
/// <param name="RightToWrong">Number that were corrupted.</param>
/// <param name="WrongToRight">Number that were corrected.</param>
/// <param name="WrongToWrong">Number that stayed wrong.</param>
public sealed record TransitionTable(int RightToRight, int RightToWrong, int WrongToRight, int WrongToWrong)
{
    /// <summary>Share that was correct before.</summary>
    public Proportion Before => new(RightToRight + RightToWrong, Count);

    /// <summary>Share that was correct after.</summary>
    public Proportion After => new(RightToRight + WrongToRight, Count);

    /// <summary>a: the share of the wrong ones that became correct, with its Wilson interval.</summary>
    public Proportion Repaired => new(WrongToRight, WrongToRight + WrongToWrong);

    /// <summary>b: the share of the correct ones that became wrong, with its Wilson interval.</summary>
    public Proportion Spoiled => new(RightToWrong, RightToRight + RightToWrong);

    /// <summary>The chain with the measured a and b; null if none was wrong or none correct, so that one of them is unknown.</summary>
    public RefinementChain? Chain => Repaired.Trials > 0 && Spoiled.Trials > 0 ? new RefinementChain(Repaired.Value, Spoiled.Value) : null;

    private int Count => RightToRight + RightToWrong + WrongToRight + WrongToWrong;

    /// <summary>Counts the four cells.</summary>
    /// <param name="before">True for each that was correct before.</param>
    /// <param name="after">True for each that is correct after; as many.</param>
    public static TransitionTable Of(IReadOnlyList<bool> before, IReadOnlyList<bool> after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (after.Count != before.Count)
            throw new ArgumentException($"after has {after.Count} values, expected {before.Count} as before", nameof(after));
        int Cell(bool was, bool now) => before.Zip(after).Count(pair => pair.First == was && pair.Second == now);
        return new TransitionTable(Cell(true, true), Cell(true, false), Cell(false, true), Cell(false, false));
    }

    /// <summary>Returns the transitions between the current texts after one round and after another.</summary>
    /// <param name="traces">Traces of a run with <see cref="SelfRefinementOptions.Gold"/>.</param>
    /// <param name="from">A round; 0 for the first attempts.</param>
    /// <param name="to">A later round.</param>
    /// <exception cref="ArgumentException">The run had no gold reward.</exception>
    public static TransitionTable Between(IReadOnlyList<RefinementTrace> traces, int from, int to)
    {
        ArgumentNullException.ThrowIfNull(traces);
        return Of([.. traces.Select(trace => Right(trace.At(from)))], [.. traces.Select(trace => Right(trace.At(to)))]);
    }

    /// <summary>Sums several tables, for pooled estimates of a and b.</summary>
    /// <remarks>A problem of several rounds counts several times. Its rounds are not independent if problems differ in difficulty; the
    /// intervals are then too narrow.</remarks>
    public static TransitionTable Sum(IEnumerable<TransitionTable> tables)
    {
        ArgumentNullException.ThrowIfNull(tables);
        return tables.Aggregate(
            new TransitionTable(0, 0, 0, 0),
            (sum, table) =>
                new TransitionTable(
                    sum.RightToRight + table.RightToRight,
                    sum.RightToWrong + table.RightToWrong,
                    sum.WrongToRight + table.WrongToRight,
                    sum.WrongToWrong + table.WrongToWrong
                )
        );
    }

    private static bool Right(Attempt attempt) =>
        attempt.Right
        ?? throw new ArgumentException(
            $"traces were made without {nameof(SelfRefinementOptions)}.{nameof(SelfRefinementOptions.Gold)}, which says what is right",
            nameof(attempt)
        );
}
