using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.RewardModeling.Losses;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>PRMBench: how well a process reward model finds nine kinds of wrong steps.</summary>
/// <remarks>Song et al. 2025, arXiv:2501.03124. The measures are those of its program, from the sums of all steps of a category.
/// Deviations:
/// a measure of what is not there is NaN, not −1; <see cref="PrmBenchScore.Likeness"/> compares each solution with its own original,
/// where the program takes the original of the first category.</remarks>
public static class PrmBench
{
    private const string Separator = "\n";

    /// <summary>Judges every step of every record.</summary>
    /// <param name="records">At least one.</param>
    /// <param name="steps">Gives each step the probability that it is right. A step that it leaves without one (NaN) counts as judged
    /// right: no fault was found.</param>
    /// <param name="threshold">A step is judged right where its probability is above this, 0 to 1; ½ by default.</param>
    /// <param name="cancellation">Cancels the scoring.</param>
    /// <returns>A score for each category that occurs.</returns>
    /// <exception cref="ArgumentException">There is no record, or the threshold is out of range.</exception>
    /// <exception cref="InvalidOperationException">A probability is outside 0 to 1; the message names record and step.</exception>
    public static async Task<IReadOnlyDictionary<PrmBenchCategory, PrmBenchScore>> ScoreAsync(
        IReadOnlyList<PrmBenchRecord> records,
        IStepReward steps,
        double threshold = 0.5,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(steps);
        Guard.Fraction(threshold, nameof(threshold));
        if (records.Count == 0)
            throw new ArgumentException("records is empty, expected at least one", nameof(records));
        PrmBenchRecord[] known = [.. records.Where(record => record.OriginalSteps.Count > 0)];
        SteppedCompletion[] asked =
        [
            .. records.Select(record => Solution(record.Question, record.Steps)),
            .. known.Select(record => Solution(record.OriginalQuestion, record.OriginalSteps)),
        ];
        var scores = await steps.ScoreStepsAsync(asked, RewardContext.None, cancellation).ConfigureAwait(false);
        bool[][] verdicts =
        [
            .. scores.Select((row, i) => Verdicts(row, threshold, i < records.Count ? records[i] : known[i - records.Count])),
        ];
        var judged = records.Zip(verdicts, (record, verdict) => new Judged(record, verdict)).ToArray();
        var originals = known.Zip(verdicts.Skip(records.Count)).ToDictionary(pair => pair.First, pair => Share(pair.Second));
        return judged.GroupBy(item => item.Record.Category).ToDictionary(group => group.Key, group => Score([.. group], originals));
    }

    /// <summary>Adds scores up, for a dimension or for all categories; likenesses are averaged over the categories that have one.</summary>
    /// <param name="scores">At least one.</param>
    public static PrmBenchScore Total(IEnumerable<PrmBenchScore> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        PrmBenchScore[] all = [.. scores];
        if (all.Length == 0)
            throw new ArgumentException("scores is empty, expected at least one", nameof(scores));
        return new PrmBenchScore(
            all.Aggregate(default(StepConfusion), (sum, score) => sum + score.Steps),
            all.Sum(score => score.FirstErrors),
            all.Sum(score => score.FirstErrorsFound),
            Mean(all.Select(score => score.Likeness))
        );
    }

    private static PrmBenchScore Score(Judged[] items, Dictionary<PrmBenchRecord, double> originals)
    {
        long[] counts = new long[4];
        foreach (var (record, verdicts) in items)
            for (int step = 0; step < verdicts.Length; step++)
                counts[(record.ErrorSteps.Contains(step + 1) ? 2 : 0) + (verdicts[step] ? 1 : 0)]++;
        var faulty = items.Where(item => item.Record.ErrorSteps.Count > 0).ToArray();
        return new PrmBenchScore(
            new StepConfusion(RightAsRight: counts[1], WrongAsRight: counts[3], WrongAsWrong: counts[2], RightAsWrong: counts[0]),
            faulty.Length,
            faulty.Count(item => !item.Verdicts[item.Record.ErrorSteps.Min() - 1]),
            Mean(
                items.Select(item =>
                    originals.TryGetValue(item.Record, out double original) ? Math.Abs(Share(item.Verdicts) - original) : double.NaN
                )
            )
        );
    }

    private static bool[] Verdicts(double[] probabilities, double threshold, PrmBenchRecord record)
    {
        for (int step = 0; step < probabilities.Length; step++)
            if (probabilities[step] is < 0 or > 1)
                throw new InvalidOperationException(
                    FormattableString.Invariant(
                        $"step {step + 1} of record '{record.Id}' has the score {probabilities[step]}, expected a probability, 0 to 1"
                    )
                );
        return [.. probabilities.Select(probability => double.IsNaN(probability) || probability > threshold)];
    }

    // The steps are given, whatever line ends they contain.
    private static SteppedCompletion Solution(string question, IReadOnlyList<string> steps)
    {
        var places = new List<ReasoningStep>(steps.Count);
        int start = 0;
        foreach (string step in steps)
        {
            places.Add(new ReasoningStep(start, start + step.Length, step));
            start += step.Length + Separator.Length;
        }
        return new SteppedCompletion(new Completion(new Problem(question), string.Join(Separator, steps), [], true), places);
    }

    private static double Share(bool[] verdicts) =>
        verdicts.Length == 0 ? double.NaN : verdicts.Count(verdict => verdict) / (double)verdicts.Length;

    private static double Mean(IEnumerable<double> values)
    {
        double[] known = [.. values.Where(value => !double.IsNaN(value))];
        return known.Length == 0 ? double.NaN : known.Average();
    }

    private sealed record Judged(PrmBenchRecord Record, bool[] Verdicts);
}
