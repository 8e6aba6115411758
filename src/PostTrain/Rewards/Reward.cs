using System.Text.RegularExpressions;
using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Makes rewards.</summary>
public static partial class Reward
{
    /// <summary>A reward from a function of one completion.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">The score; what it throws reaches the caller.</param>
    public static IReward Of(string name, Func<Completion, double> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionReward(name, (completion, _) => score(completion));
    }

    /// <summary>A reward from a function of one completion and the progress of the training.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">The score, NaN where it is not applicable; what it throws reaches the caller.</param>
    public static IReward Of(string name, Func<Completion, RewardContext, double> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionReward(name, (completion, _, context) => score(completion, context));
    }

    /// <summary>A reward from an asynchronous function of one completion: a service, a program that runs tests.</summary>
    /// <remarks>Calls of a list run at the same time, on threads of the pool. When one fails, the others are cancelled and what it threw
    /// reaches the caller. See <see cref="WithTimeout"/> and <see cref="WithRetries"/>.</remarks>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">The score, NaN where it is not applicable.</param>
    /// <param name="concurrency">Calls that run at the same time, at least 1.</param>
    public static IReward OfAsync(string name, Func<Completion, CancellationToken, Task<double>> score, int concurrency = 8)
    {
        ArgumentNullException.ThrowIfNull(score);
        Guard.AtLeast(concurrency, 1, nameof(concurrency));
        return new ListReward(name, (completions, _, cancellation) => EachAsync(completions, score, concurrency, cancellation));
    }

    /// <summary>A reward from a function of the whole list, for example a reward model's forward pass.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">One score a completion, in their order, NaN where it is not applicable; what it throws reaches the
    /// caller.</param>
    public static IReward OfAll(string name, Func<IReadOnlyList<Completion>, double[]> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new ListReward(name, (completions, _, _) => ValueTask.FromResult(score(completions)));
    }

    /// <summary>A reward from an asynchronous function of the whole list, for example a service; see <see cref="Batched"/>,
    /// <see cref="WithTimeout"/> and <see cref="WithRetries"/>.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">One score a completion, in their order, NaN where it is not applicable; what it throws reaches the
    /// caller.</param>
    public static IReward OfAll(string name, Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<double[]>> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new ListReward(name, score);
    }

    /// <summary>Binary correctness, r = 1 when the extracted answer equals <see cref="Data.Problem.Answer"/>, else 0, with a tolerance of
    /// one's own.</summary>
    /// <param name="tolerance">The largest relative difference of equal numbers; see
    /// <see cref="AnswerEquivalence.AreEquivalent"/>.</param>
    public static IReward MathAnswer(double tolerance = AnswerEquivalence.DefaultTolerance) =>
        MathAnswer(new MathAnswerOptions { Tolerance = tolerance });

    /// <summary>Correctness of the final answer: <see cref="AnswerExtraction"/> finds it in the completion,
    /// <see cref="AnswerEquivalence"/> compares it with <see cref="Data.Problem.Answer"/>.</summary>
    /// <remarks>A reference that itself holds <c>\boxed{}</c>, <c>####</c> or <c>&lt;answer&gt;</c> (GSM8K's whole solutions) is reduced
    /// to that. A problem without a reference is an <see cref="InvalidOperationException"/> that names the completion.</remarks>
    /// <param name="options">Places, tolerance and the three values.</param>
    public static IReward MathAnswer(MathAnswerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return MathAnswerReward.Create(options.Validated());
    }

    /// <summary>1 when the whole completion matches a regular expression, else 0.</summary>
    /// <remarks>Expressions without look-around and back-references run in time linear in the text. The others have one second a
    /// completion; what takes longer counts as no match.</remarks>
    /// <param name="pattern">The expression; it is anchored at both ends, so <c>\d+</c> needs a completion of digits only.</param>
    /// <param name="name">The name in the log.</param>
    /// <param name="options">For instance <see cref="RegexOptions.Singleline"/>, with which <c>.</c> matches line ends too.</param>
    /// <exception cref="ArgumentException">The expression is not valid.</exception>
    public static IReward Format(string pattern, string name = "format", RegexOptions options = RegexOptions.None)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return FormatReward.Create(name, pattern, options);
    }

    /// <summary>1 when the completion is exactly one block of each tag in this order, <c>&lt;think&gt;…&lt;/think&gt;
    /// &lt;answer&gt;…&lt;/answer&gt;</c>, else 0.</summary>
    /// <remarks>White space may stand around the blocks. No tag of the list may occur a second time. DeepSeek-R1 (arXiv:2501.12948),
    /// section 2.2.2.</remarks>
    /// <param name="tags">Names without brackets, at least one, each once.</param>
    /// <exception cref="ArgumentException">There are no tags, one is empty, or one is given twice.</exception>
    public static IReward TagFormat(params string[] tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        return TagFormatReward.Create("tag_format", tags);
    }

    /// <summary>A weighted sum under the name <c>weighted</c>: r = Σₖ wₖ rₖ.</summary>
    /// <param name="parts">Weights (finite, of any sign) and rewards with different names.</param>
    public static IReward Weighted(params (double Weight, IReward Reward)[] parts) => Weighted("weighted", parts);

    /// <summary>A weighted sum, r = Σₖ wₖ rₖ. Each part is called once, in order.</summary>
    /// <remarks>A part that is not applicable (NaN) to a completion is left out of its sum, as TRL's None; where no part is applicable the
    /// sum is NaN. An infinite part is an <see cref="InvalidOperationException"/>. Components: each part's unweighted values under its
    /// name, and a part's own components under <c>part/component</c>.</remarks>
    /// <param name="name">The name of the sum.</param>
    /// <param name="parts">Weights (finite, of any sign) and rewards with different names.</param>
    /// <exception cref="ArgumentException">There are no parts, a weight is not finite, a reward is null, or two have one
    /// name.</exception>
    public static IReward Weighted(string name, params (double Weight, IReward Reward)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return new WeightedReward(name, parts, isMean: false);
    }

    /// <summary>A weighted mean over the applicable parts, r = Σₖ wₖ rₖ / Σₖ wₖ: completions with fewer applicable parts keep the
    /// scale.</summary>
    /// <remarks>As <see cref="Weighted(string, ValueTuple{double, IReward}[])"/> otherwise. Range: that of the parts.</remarks>
    /// <param name="name">The name of the mean.</param>
    /// <param name="parts">Weights (finite, above 0) and rewards with different names.</param>
    /// <exception cref="ArgumentException">There are no parts, a weight is not above 0, a reward is null, or two have one name.</exception>
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
