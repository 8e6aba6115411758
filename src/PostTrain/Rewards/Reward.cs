using System.Text.RegularExpressions;
using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Creates rewards.</summary>
public static partial class Reward
{
    /// <summary>Creates a reward from a function of one completion.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes the score; its exceptions reach the caller.</param>
    public static IReward Of(string name, Func<Completion, double> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionReward(name, (completion, _) => score(completion));
    }

    /// <summary>Creates a reward from a function of one completion and the training progress.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes the score, NaN if not applicable; its exceptions reach the caller.</param>
    public static IReward Of(string name, Func<Completion, RewardContext, double> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionReward(name, (completion, _, context) => score(completion, context));
    }

    /// <summary>Creates a reward from an asynchronous function of one completion, such as a service or a program that runs tests.</summary>
    /// <remarks>The calls of a list run concurrently on the thread pool. If one fails, the others are cancelled and its exception reaches
    /// the caller. See <see cref="WithTimeout"/> and <see cref="WithRetries"/>.</remarks>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes the score, NaN if not applicable.</param>
    /// <param name="concurrency">Maximum number of concurrent calls, at least 1.</param>
    public static IReward OfAsync(string name, Func<Completion, CancellationToken, Task<double>> score, int concurrency = 8)
    {
        ArgumentNullException.ThrowIfNull(score);
        Guard.AtLeast(concurrency, 1, nameof(concurrency));
        return new ListReward(name, (completions, _, cancellation) => EachAsync(completions, score, concurrency, cancellation));
    }

    /// <summary>Creates a reward from a function of the whole list, for example a reward model's forward pass.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes one score per completion, in order, NaN if not applicable; its exceptions reach the caller.</param>
    public static IReward OfAll(string name, Func<IReadOnlyList<Completion>, double[]> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new ListReward(name, (completions, _, _) => ValueTask.FromResult(score(completions)));
    }

    /// <summary>Creates a reward from an asynchronous function of the whole list, for example a service; see <see cref="Batched"/>, <see
    /// cref="WithTimeout"/> and <see cref="WithRetries"/>.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes one score per completion, in order, NaN if not applicable; its exceptions reach the caller.</param>
    public static IReward OfAll(string name, Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<double[]>> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new ListReward(name, score);
    }

    /// <summary>Binary correctness: scores 1 if the extracted answer equals <see cref="Data.Problem.Answer"/>, otherwise 0.</summary>
    /// <param name="tolerance">Largest relative difference of equal numbers; see <see cref="AnswerEquivalence.AreEquivalent"/>.</param>
    public static IReward MathAnswer(double tolerance = AnswerEquivalence.DefaultTolerance) =>
        MathAnswer(new MathAnswerOptions { Tolerance = tolerance });

    /// <summary>Scores the correctness of the final answer: <see cref="AnswerExtraction"/> finds it, <see cref="AnswerEquivalence"/>
    /// compares it with <see cref="Data.Problem.Answer"/>.</summary>
    /// <remarks>A reference that contains <c>\boxed{}</c>, <c>####</c> or <c>&lt;answer&gt;</c> (such as GSM8K's whole solutions) is
    /// reduced to that answer. A problem without a reference gives an <see cref="InvalidOperationException"/> that names the
    /// completion.</remarks>
    /// <param name="options">Places, tolerance and the three values.</param>
    public static IReward MathAnswer(MathAnswerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return MathAnswerReward.Create(options.Validated());
    }

    /// <summary>Scores 1 if the whole completion matches a regular expression, otherwise 0.</summary>
    /// <remarks>Expressions without look-around and back-references take time linear in the text. Others have one second per completion; a
    /// longer match counts as no match.</remarks>
    /// <param name="pattern">The expression. It is anchored at both ends, so <c>\d+</c> needs a completion of digits only.</param>
    /// <param name="name">The name in the log.</param>
    /// <param name="options">For instance <see cref="RegexOptions.Singleline"/>, with which <c>.</c> matches line ends too.</param>
    /// <exception cref="ArgumentException">The expression is not valid.</exception>
    public static IReward Format(string pattern, string name = "format", RegexOptions options = RegexOptions.None)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return FormatReward.Create(name, pattern, options);
    }

    /// <summary>Scores 1 if the completion is exactly one block of each tag in this order, <c>&lt;think&gt;…&lt;/think&gt;
    /// &lt;answer&gt;…&lt;/answer&gt;</c>, otherwise 0.</summary>
    /// <remarks>White space is allowed around the blocks. No tag may occur twice. DeepSeek-R1 (arXiv:2501.12948), section 2.2.2.</remarks>
    /// <param name="tags">Names without brackets, at least one, all different.</param>
    /// <exception cref="ArgumentException">There are no tags, one is empty, or one is given twice.</exception>
    public static IReward TagFormat(params string[] tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        return TagFormatReward.Create("tag_format", tags);
    }

    /// <summary>Computes a weighted sum under the name <c>weighted</c>: r = Σₖ wₖ rₖ.</summary>
    /// <param name="parts">Weights (finite, of any sign) and rewards; names must differ.</param>
    public static IReward Weighted(params (double Weight, IReward Reward)[] parts) => Weighted("weighted", parts);

    /// <summary>Computes a weighted sum, r = Σₖ wₖ rₖ. Each part is called once, in order.</summary>
    /// <remarks>A part that is not applicable (NaN) to a completion is left out of its sum, like TRL's None; if no part is applicable the
    /// sum is NaN. An infinite part gives an <see cref="InvalidOperationException"/>. Components: each part's unweighted values under its
    /// name, and a part's own components under <c>part/component</c>.</remarks>
    /// <param name="name">The name of the sum.</param>
    /// <param name="parts">Weights (finite, of any sign) and rewards; names must differ.</param>
    /// <exception cref="ArgumentException">There are no parts, a weight is not finite, a reward is null, or two rewards have the same
    /// name.</exception>
    public static IReward Weighted(string name, params (double Weight, IReward Reward)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return new WeightedReward(name, parts, isMean: false);
    }

    /// <summary>Computes a weighted mean over the applicable parts, r = Σₖ wₖ rₖ / Σₖ wₖ: completions with fewer applicable parts keep the
    /// scale.</summary>
    /// <remarks>As <see cref="Weighted(string, ValueTuple{double, IReward}[])"/> otherwise. Range: that of the parts.</remarks>
    /// <param name="name">The name of the mean.</param>
    /// <param name="parts">Weights (finite, above 0) and rewards; names must differ.</param>
    /// <exception cref="ArgumentException">There are no parts, a weight is not above 0, a reward is null, or two have the same
    /// name.</exception>
    public static IReward WeightedMean(string name, params (double Weight, IReward Reward)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return new WeightedReward(name, parts, isMean: true);
    }

    private static async ValueTask<double[]> EachAsync(
        IReadOnlyList<Completion> completions,
        Func<Completion, CancellationToken, Task<double>> score,
        int concurrency,
        CancellationToken cancellation
    )
    {
        var values = new double[completions.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellation };
        await Parallel
            .ForAsync(0, values.Length, options, async (i, stop) => values[i] = await score(completions[i], stop).ConfigureAwait(false))
            .ConfigureAwait(false);
        return values;
    }
}
