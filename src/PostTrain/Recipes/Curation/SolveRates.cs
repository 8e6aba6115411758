using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Recipes;

/// <summary>Solve rates of problems under a policy, and the curriculum that they give.</summary>
/// <remarks>Big-Math, Albalak et al. 2025, arXiv:2502.17387, section 4: problems that are always or never solved give a group no
/// gradient.</remarks>
public static class SolveRates
{
    /// <summary>Draws completions of every problem and counts the rewarded ones.</summary>
    /// <param name="policy">Model that draws, without dropout; nothing is trained.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="problems">At least one problem, with what the reward compares with.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">The defaults when null.</param>
    /// <param name="cancellation">Looked at while completions are drawn and judged.</param>
    /// <returns>One rate a problem, in their order.</returns>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable.</exception>
    public static async Task<IReadOnlyList<SolveRate>> MeasureAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        IReward reward,
        SolveRateOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(reward);
        options ??= new SolveRateOptions();
        options.Validate();
        var prompts = TokenizedPrompt
            .Of(problems, nameof(problems), policy, tokenizer)
            .SelectMany(prompt => Enumerable.Repeat(prompt, options.Draws))
            .ToArray();
        var solved = new int[problems.Count];
        int first = 0;
        foreach (var part in prompts.Chunk(options.BatchSize))
        {
            var completions = TokenizedPrompt.Draw(
                policy,
                tokenizer,
                part,
                options.Sampling with
                {
                    FirstRow = first,
                },
                options.Seed,
                cancellation
            );
            var scores = await Scoring.ScoreCheckedAsync(reward, completions, RewardContext.None, cancellation).ConfigureAwait(false);
            for (int i = 0; i < part.Length; i++)
                if (scores.Values[i] >= options.Threshold)
                    solved[(first + i) / options.Draws]++;
            first += part.Length;
        }
        return [.. problems.Select((problem, i) => new SolveRate(problem, new Proportion(solved[i], options.Draws)))];
    }

    /// <summary>Keeps the problems within a band of rates.</summary>
    /// <param name="rates">Measured rates.</param>
    /// <param name="least">Least rate, 0 to 1.</param>
    /// <param name="most">Greatest rate, at least <paramref name="least"/>.</param>
    public static IReadOnlyList<SolveRate> Band(IEnumerable<SolveRate> rates, double least, double most)
    {
        ArgumentNullException.ThrowIfNull(rates);
        Guard.Fraction(least, nameof(least));
        Guard.Fraction(most, nameof(most));
        if (most < least)
            throw new ArgumentOutOfRangeException(nameof(most), most, $"most must be at least least, {least}");
        return [.. rates.Where(rate => rate.Rate.Value >= least && rate.Rate.Value <= most)];
    }

    /// <summary>Divides the problems into stages of about equal size, from the highest rate to the lowest.</summary>
    /// <param name="rates">Measured rates.</param>
    /// <param name="stages">Number of stages, 1 to the number of problems.</param>
    /// <returns>The problems of each stage; those of equal rates in their order.</returns>
    public static IReadOnlyList<IReadOnlyList<Problem>> Stages(IReadOnlyList<SolveRate> rates, int stages)
    {
        ArgumentNullException.ThrowIfNull(rates);
        if (stages < 1 || stages > rates.Count)
            throw new ArgumentOutOfRangeException(nameof(stages), stages, $"stages must be between 1 and the problems, {rates.Count}");
        Problem[] ordered = [.. rates.OrderByDescending(rate => rate.Rate.Value).Select(rate => rate.Problem)];
        return
        [
            .. Enumerable
                .Range(0, stages)
                .Select(stage => ordered[(int)((long)stage * ordered.Length / stages)..(int)((stage + 1L) * ordered.Length / stages)]),
        ];
    }

    /// <summary>Computes the probability that a group of G completions has unequal rewards, 1 − p^G − (1 − p)^G: the share of groups with a
    /// gradient.</summary>
    /// <param name="rate">p, 0 to 1.</param>
    /// <param name="groupSize">G, at least 1.</param>
    public static double GradientShare(double rate, int groupSize)
    {
        Guard.Fraction(rate, nameof(rate));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        return 1 - Math.Pow(rate, groupSize) - Math.Pow(1 - rate, groupSize);
    }

    /// <summary>Estimates the same without bias from counts: 1 − C(c,G)/C(n,G) − C(n−c,G)/C(n,G), c of n solved.</summary>
    /// <remarks>With the measured rate in the place of p the share of hard and easy problems comes out too small.</remarks>
    /// <param name="rate">Counts.</param>
    /// <param name="groupSize">G, 1 to the number of draws.</param>
    public static double GradientShare(Proportion rate, int groupSize)
    {
        if (groupSize < 1 || groupSize > rate.Trials)
            throw new ArgumentOutOfRangeException(
                nameof(groupSize),
                groupSize,
                $"groupSize must be between 1 and the draws, {rate.Trials}"
            );
        double Equal(int count) =>
            Enumerable.Range(0, groupSize).Aggregate(1.0, (product, i) => product * Math.Max(0, count - i) / (rate.Trials - i));
        return 1 - Equal(rate.Successes) - Equal(rate.Trials - rate.Successes);
    }
}
