using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>The collection of AI feedback: two completions of the policy for each problem, and a judge's probability that one is the
/// better.</summary>
/// <remarks>Lee et al. 2023, arXiv:2309.00267, section 2.1; the first stage of <see cref="Rlaif"/>. The labels stay soft: a judge that is
/// not sure says so to the reward model.</remarks>
public static class AiFeedback
{
    /// <summary>Draws, asks, and gives what was judged, a batch at a time in the problems' order.</summary>
    /// <param name="policy">Draws; nothing is trained, and dropout is off meanwhile.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="problems">What the policy is asked; at least one.</param>
    /// <param name="judge">Compares; what it throws reaches the caller.</param>
    /// <param name="options">The defaults when null.</param>
    /// <param name="cancellation">Ends the collection while completions are drawn and judged. A judge that does not heed it is left behind
    /// on the thread pool, and its verdict is dropped.</param>
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
        foreach (var part in prompts.Skip(drawn).Chunk(2 * options.BatchSize))
        {
            var completions = TokenizedPrompt.Draw(
                policy,
                tokenizer,
                part,
                options.Sampling with
                {
                    FirstRow = drawn,
                },
                options.Seed,
                cancellation
            );
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
