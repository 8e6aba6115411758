using PostTrain.Numerics;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Scores the share of the marks &lt;tag&gt; and &lt;/tag&gt; that occur exactly once: a gradual form of <see
    /// cref="TagFormat"/>.</summary>
    /// <remarks>open-r1's tag count: ¼ for each mark of think and answer. Range 0 to 1; the order is ignored.</remarks>
    /// <param name="tags">Names without brackets, at least one, all different.</param>
    public static IReward TagCount(params string[] tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        var marks = TagFormatReward.Marks(tags);
        return new FunctionReward(
            "tag_count",
            (completion, _) => marks.Count(mark => TextMeasures.OccursOnce(completion.Text, mark)) / (double)marks.Length
        );
    }

    /// <summary>Scores 1 for a completion that begins with &lt;think&gt;, has no second one, and closes it; 0 otherwise. Anything may
    /// follow
    /// the closing mark.</summary>
    /// <remarks>TRL's <c>think_format_reward</c>. <see cref="TagFormat"/> asks for an answer in marks of its own too.</remarks>
    public static IReward ThinkFormat()
    {
        const string open = "<think>",
            close = "</think>";
        return new FunctionReward(
            "think_format",
            (completion, _) =>
                completion.Text.StartsWith(open, StringComparison.Ordinal)
                && TextMeasures.OccursOnce(completion.Text, open)
                && completion.Text.Contains(close, StringComparison.Ordinal)
                    ? 1
                    : 0
        );
    }

    /// <summary>Scores 1 for a completion that ended by itself, 0 for one that reached the length limit.</summary>
    public static IReward Finished() => new FunctionReward("finished", (completion, _) => completion.Finished ? 1 : 0);

    /// <summary>Soft overlong punishment: scores 0 up to limit − buffer tokens, falls linearly to −1 at the limit, and −1 beyond.</summary>
    /// <remarks>DAPO, arXiv:2503.14476, eq. 13: ((L_max − L_cache) − L)/L_cache. Added to a correctness reward. Range −1 to 0.</remarks>
    /// <param name="limit">L_max in tokens, at least 1.</param>
    /// <param name="buffer">L_cache, 1 to <paramref name="limit"/>.</param>
    public static IReward SoftOverlong(int limit, int buffer)
    {
        Guard.AtLeast(limit, 1, nameof(limit));
        if (buffer < 1 || buffer > limit)
            throw new ArgumentOutOfRangeException(nameof(buffer), buffer, $"buffer must be between 1 and limit, {limit}");
        return new FunctionReward(
            "overlong",
            (completion, _) => Math.Clamp((limit - buffer - completion.Tokens.Length) / (double)buffer, -1, 0)
        );
    }

    /// <summary>Scores correctness by length with a cosine: v = a + ½(b − a)(1 + cos(π·min(L, L_max)/L_max)), from b at length 0 to a at
    /// L_max.</summary>
    /// <remarks>Yeo et al. 2025, arXiv:2502.03373: short correct answers score higher than long ones, long wrong answers higher than short
    /// ones. L beyond L_max stays at a; without this limit the cosine would rise again. Not applicable if the correctness reward is
    /// not.</remarks>
    /// <param name="correct">The correctness reward; above ½ is correct.</param>
    /// <param name="options">Length and values; null for the defaults.</param>
    public static IReward CosineLength(IReward correct, CosineLengthOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(correct);
        var checkedOptions = (options ?? new CosineLengthOptions()).Validated();
        return new ListReward(
            "cosine",
            async (completions, context, cancellation) =>
            {
                var judged = await Scoring.ScorePartAsync(correct, completions, context, cancellation).ConfigureAwait(false);
                return
                [
                    .. judged.Values.Select(
                        (value, i) => double.IsNaN(value) ? value : checkedOptions.Value(value > 0.5, completions[i].Tokens.Length)
                    ),
                ];
            }
        );
    }

    /// <summary>Kimi's length reward: scores λ = ½ − (L − L_min)/(L_max − L_min) for correct answers of a group, min(0, λ) for wrong
    /// ones.</summary>
    /// <remarks>Kimi k1.5, arXiv:2501.12599, section 2.3.3. Groups with a single length give 0. Range −½ to ½. Completions without an
    /// applicable correctness are skipped. Use a small weight, and only after the policy has learnt to answer: it rewards giving up
    /// early.</remarks>
    /// <param name="correct">The correctness reward; above ½ is correct.</param>
    public static IReward ShorterIsBetter(IReward correct)
    {
        ArgumentNullException.ThrowIfNull(correct);
        return new ListReward(
            "length",
            async (completions, context, cancellation) =>
            {
                var judged = await Scoring.ScorePartAsync(correct, completions, context, cancellation).ConfigureAwait(false);
                var values = new double[completions.Count];
                foreach (var group in CompletionGroups.Of(completions))
                {
                    var applicable = group.Where(i => !double.IsNaN(judged.Values[i])).ToArray();
                    foreach (var i in group)
                        values[i] = double.NaN;
                    if (applicable.Length == 0)
                        continue;
                    int least = applicable.Min(i => completions[i].Tokens.Length),
                        most = applicable.Max(i => completions[i].Tokens.Length);
                    foreach (var i in applicable)
                    {
                        var lambda = most == least ? 0 : 0.5 - (completions[i].Tokens.Length - least) / (double)(most - least);
                        values[i] = judged.Values[i] > 0.5 ? lambda : Math.Min(0, lambda);
                    }
                }

                return values;
            }
        );
    }

    /// <summary>Repetition penalty: scores −c·(1 − distinct n-grams / n-grams) of the tokens.</summary>
    /// <remarks>As in TRL. Completions of fewer than n tokens give 0. Range −c to 0. Correct long answers repeat themselves too: keep c
    /// small.</remarks>
    /// <param name="size">n, at least 1. Default 3.</param>
    /// <param name="penalty">c, at least 0. Default 1.</param>
    public static IReward Repetition(int size = 3, double penalty = 1)
    {
        CheckRepetition(size, penalty);
        return new FunctionReward("repetition", (completion, _) => -penalty * TextMeasures.RepeatedShare<int>(completion.Tokens, size));
    }

    /// <summary>Scores <see cref="Repetition"/> over lower-case words instead of tokens, as in open-r1.</summary>
    /// <param name="size">n, at least 1. Default 3.</param>
    /// <param name="penalty">c, at least 0. Default 1.</param>
    public static IReward WordRepetition(int size = 3, double penalty = 1)
    {
        CheckRepetition(size, penalty);
        return new FunctionReward(
            "word_repetition",
            (completion, _) =>
                -penalty
                * TextMeasures.RepeatedShare<string>(
                    completion.Text.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries),
                    size
                )
        );
    }

    /// <summary>Scores reasoning in steps: min(1, markers / target).</summary>
    /// <remarks>open-r1's markers: "Step 1:", a number with a full stop or a bullet at the start of a line, "First,", "Second,", "Next,",
    /// "Finally,". Range 0 to 1. Easily hacked: a policy adds empty steps. Use it only briefly.</remarks>
    /// <param name="target">Number of markers for the full reward, at least 1. Default 3.</param>
    public static IReward StepMarkers(int target = 3)
    {
        Guard.AtLeast(target, 1, nameof(target));
        return new FunctionReward(
            "step_markers",
            (completion, _) => Math.Min(1, TextMeasures.CountMarkers(completion.Text) / (double)target)
        );
    }

    /// <summary>Scores the share of a completion's letters that belong to the scripts of the wanted language.</summary>
    /// <remarks>DeepSeek-R1, arXiv:2501.12948, section 2.3.2, with letters instead of words. A text without letters gives 1. Range 0 to 1.
    /// Distinguishes scripts, not languages: English and French are the same.</remarks>
    /// <param name="scripts">At least one script.</param>
    public static IReward LanguageConsistency(WritingScripts scripts)
    {
        if (scripts == WritingScripts.None || (scripts & ~WritingScripts.All) != 0)
            throw new ArgumentOutOfRangeException(nameof(scripts), scripts, "scripts must name at least one script and only known ones");
        return new FunctionReward("language", (completion, _) => TextMeasures.ScriptShare(completion.Text, scripts));
    }

    /// <summary>Scores 1 if the completion's answer is an expression of the given numbers with the target value, as in Countdown.</summary>
    /// <remarks><see cref="NumberPuzzle"/> lists rejected input, such as <c>**</c> and <c>//</c>. <see cref="AnswerExtraction"/> finds the
    /// answer.</remarks>
    /// <param name="puzzle">Numbers and target of a problem.</param>
    /// <param name="wellFormed">Reward of an expression of the given numbers with another value. Default 0.</param>
    /// <param name="places">Places that can hold the answer. Default: boxed, after hashes or in tags.</param>
    public static IReward Expression(
        Func<Data.Problem, NumberPuzzle> puzzle,
        double wellFormed = 0,
        AnswerPlaces places = AnswerPlaces.Marked
    )
    {
        ArgumentNullException.ThrowIfNull(puzzle);
        if (!double.IsFinite(wellFormed))
            throw new ArgumentOutOfRangeException(nameof(wellFormed), wellFormed, "wellFormed must be a finite number");
        return new FunctionReward(
            "expression",
            (completion, _) =>
                AnswerExtraction.Extract(completion.Text, places) is not { } answer
                    ? 0
                    : puzzle(completion.Problem).Judge(answer) switch
                    {
                        PuzzleVerdict.Solved => 1,
                        PuzzleVerdict.WrongValue => wellFormed,
                        _ => 0,
                    }
        );
    }

    private static void CheckRepetition(int size, double penalty)
    {
        Guard.AtLeast(size, 1, nameof(size));
        Guard.NotNegative(penalty, nameof(penalty));
    }
}
