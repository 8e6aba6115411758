using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>Collects AI feedback: two completions of the policy for each problem, and a judge's probability that the first is
/// better.</summary>
/// <remarks>Lee et al. 2023, arXiv:2309.00267, section 2.1; the first stage of <see cref="Rlaif"/>. Labels stay soft, so an uncertain judge
/// gives the reward model an uncertain label.</remarks>
public static class AiFeedback
{
    /// <summary>Samples completions, asks the judge, and returns the judged pairs in batches, in the problems' order.</summary>
    /// <param name="policy">Samples the completions; it is not trained, and dropout is off meanwhile.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="problems">The problems; at least one.</param>
    /// <param name="judge">Compares the completions; its exceptions reach the caller.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="cancellation">Cancels sampling and judging. A judge that ignores it is abandoned on the thread pool, and its verdict is
    /// dropped.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The judge gave a number outside 0..1.</exception>
    public static IAsyncEnumerable<AiFeedbackBatch> CollectAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        PairJudge judge,
        AiFeedbackOptions? options = null,
        CancellationToken cancellation = default
    ) => CollectAsync(policy, tokenizer, problems, judge, options, 0, cancellation);

    /// <summary>Goes on behind the batches that were judged before.</summary>
    internal static async IAsyncEnumerable<AiFeedbackBatch> CollectAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        PairJudge judge,
        AiFeedbackOptions? options,
        int batchesDone,
        [EnumeratorCancellation] CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(judge);
        options ??= new AiFeedbackOptions();
        options.Validate();
        var prompts = TokenizedPrompt
            .Of(problems, nameof(problems), policy, tokenizer)
            .SelectMany(prompt => Enumerable.Repeat(prompt, 2 * options.PairsPerProblem))
            .ToArray();
        int drawn = Math.Min(batchesDone * 2 * options.BatchSize, prompts.Length);
        if (options.Source is { } source && drawn < prompts.Length)
            await source.UpdateAsync(policy, 0, cancellation).ConfigureAwait(false);
        foreach (var part in prompts.Skip(drawn).Chunk(2 * options.BatchSize))
        {
            var completions = await TokenizedPrompt
                .DrawAsync(policy, tokenizer, options.Source, part, options.Sampling with { FirstRow = drawn }, options.Seed, cancellation)
                .ConfigureAwait(false);
            drawn += part.Length;
            yield return await JudgedAsync([.. completions.Chunk(2)], judge, options.Parallelism, cancellation).ConfigureAwait(false);
        }
    }

    private static async Task<AiFeedbackBatch> JudgedAsync(
        Completion[][] pairs,
        PairJudge judge,
        int parallelism,
        CancellationToken cancellation
    )
    {
        int[] different = [.. Enumerable.Range(0, pairs.Length).Where(i => pairs[i][0].Text != pairs[i][1].Text)];
        var preferences = new double[different.Length];
        await Patience.UntilAsync(AskedAsync, cancellation).ConfigureAwait(false);
        if (preferences.FirstOrDefault(p => p is < 0 or > 1) is var wrong && wrong != 0)
            throw new InvalidOperationException(
                FormattableString.Invariant($"the judge gave {wrong}, expected 0 to 1, or NaN for no verdict")
            );

        var judged = new List<PreferencePair>();
        foreach (var (pair, preference) in different.Select(i => pairs[i]).Zip(preferences))
        {
            if (double.IsNaN(preference))
                continue;
            var (better, worse) = preference >= 0.5 ? (pair[0], pair[1]) : (pair[1], pair[0]);
            judged.Add(
                new PreferencePair(better.Problem.Prompt, better.Text, worse.Text) { Probability = Math.Max(preference, 1 - preference) }
            );
        }
        return new AiFeedbackBatch(judged, pairs.Length - different.Length, different.Length - judged.Count);

        async Task<double[]> AskedAsync()
        {
            await Parallel
                .ForAsync(
                    0,
                    different.Length,
                    new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellation },
                    async (index, token) =>
                    {
                        var (first, second) = (pairs[different[index]][0], pairs[different[index]][1]);
                        preferences[index] = await judge(first.Problem, first.Text, second.Text, token).ConfigureAwait(false);
                    }
                )
                .ConfigureAwait(false);
            return preferences;
        }
    }
}
