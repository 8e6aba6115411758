using PostTrain.Exact;
using PostTrain.Training.Reports;

namespace PostTrain.Refinement;

/// <summary>How many problems went from a right or wrong answer to a right or wrong one.</summary>
/// <remarks>With a = <see cref="Repaired"/> and b = <see cref="Spoiled"/> of the same table, accuracy after = before·(1−b) + (1−before)·a,
/// exactly.</remarks>
/// <param name="RightToRight">Stayed right.</param>
/// <param name="RightToWrong">Were spoiled.</param>
/// <param name="WrongToRight">Were repaired.</param>
/// <param name="WrongToWrong">Stayed wrong.</param>
public sealed record TransitionTable(int RightToRight, int RightToWrong, int WrongToRight, int WrongToWrong)
{
    /// <summary>The share that was right before.</summary>
    public Proportion Before => new(RightToRight + RightToWrong, Count);

    /// <summary>The share that was right after.</summary>
    public Proportion After => new(RightToRight + WrongToRight, Count);

    /// <summary>a: of those that were wrong, the share that became right, with its Wilson interval.</summary>
    public Proportion Repaired => new(WrongToRight, WrongToRight + WrongToWrong);

    /// <summary>b: of those that were right, the share that became wrong, with its Wilson interval.</summary>
    public Proportion Spoiled => new(RightToWrong, RightToRight + RightToWrong);

    /// <summary>The chain of the measured a and b; null where none was wrong, or none right, so that one of them is unknown.</summary>
    public RefinementChain? Chain => Repaired.Trials > 0 && Spoiled.Trials > 0 ? new RefinementChain(Repaired.Value, Spoiled.Value) : null;

    private int Count => RightToRight + RightToWrong + WrongToRight + WrongToWrong;

    /// <summary>Counts the four cells.</summary>
    /// <param name="before">Whether each was right.</param>
    /// <param name="after">Whether it is right now; as many.</param>
    public static TransitionTable Of(IReadOnlyList<bool> before, IReadOnlyList<bool> after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (after.Count != before.Count)
            throw new ArgumentException($"after has {after.Count} values, expected {before.Count} as before", nameof(after));
        int Cell(bool was, bool now) => before.Zip(after).Count(pair => pair.First == was && pair.Second == now);
        return new TransitionTable(Cell(true, true), Cell(true, false), Cell(false, true), Cell(false, false));
    }

    /// <summary>From what stood after one round to what stood after another.</summary>
    /// <param name="traces">Of a run with <see cref="SelfRefinementOptions.Gold"/>.</param>
    /// <param name="from">A round; 0 are the first attempts.</param>
    /// <param name="to">A later round.</param>
    /// <exception cref="ArgumentException">The run had no gold reward.</exception>
    public static TransitionTable Between(IReadOnlyList<RefinementTrace> traces, int from, int to)
    {
        ArgumentNullException.ThrowIfNull(traces);
        return Of([.. traces.Select(trace => Right(trace.At(from)))], [.. traces.Select(trace => Right(trace.At(to)))]);
    }

    /// <summary>All of several tables in one: the pooled estimates of a and b.</summary>
    /// <remarks>A problem of several rounds counts several times; its rounds are not independent where problems differ in difficulty, and
    /// the intervals are then too narrow.</remarks>
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
