using PostTrain.Numerics;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>The share of the marks &lt;tag&gt; and &lt;/tag&gt; that occur exactly once: a gradual form of
    /// <see cref="TagFormat"/>.</summary>
    /// <remarks>open-r1's tag count: ¼ for each mark of think and answer. Range 0 to 1; the order is not looked at.</remarks>
    /// <param name="tags">Names without brackets, at least one, each once.</param>
    public static IReward TagCount(params string[] tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        var marks = TagFormatReward.Marks(tags);
        return new FunctionReward(
            "tag_count",
            (completion, _) => marks.Count(mark => TextMeasures.OccursOnce(completion.Text, mark)) / (double)marks.Length
        );
    }

    /// <summary>1 for a completion that ended by itself, 0 for one that the limit of length cut off.</summary>
    public static IReward Finished() => new FunctionReward("finished", (completion, _) => completion.Finished ? 1 : 0);

    /// <summary>Soft overlong punishment: 0 up to limit − buffer tokens, falling linearly to −1 at the limit, −1 beyond it.</summary>
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

    /// <summary>Correctness that depends on length by a cosine: v = a + ½(b − a)(1 + cos(π·min(L, L_max)/L_max)), from b at length 0 to a
    /// at L_max.</summary>
    /// <remarks>Yeo et al. 2025, arXiv:2502.03373: among right answers short ones are better, among wrong ones long ones. L beyond L_max
    /// stays at a; without that cut the cosine would rise again. Where the judgement is not applicable, so is this.</remarks>
    /// <param name="correct">Judges; above ½ is right.</param>
    /// <param name="options">Length and values; defaults when null.</param>
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

    /// <summary>Kimi's length reward in each group: λ = ½ − (L − L_min)/(L_max − L_min) for right answers, min(0, λ) for wrong
    /// ones.</summary>
    /// <remarks>Kimi k1.5, arXiv:2501.12599, section 2.3.3. Groups of one length give 0. Range −½ to ½. Completions whose judgement is not
    /// applicable take no part. Give it a small weight, and only after the policy has learnt to answer: it rewards giving up
    /// early.</remarks>
    /// <param name="correct">Judges; above ½ is right.</param>
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

    /// <summary>Repetition penalty: −c·(1 − distinct n-grams / n-grams) of the tokens.</summary>
    /// <remarks>As TRL's. Completions of fewer than n tokens give 0. Range −c to 0. Correct long answers repeat themselves too: keep c
    /// small.</remarks>
    /// <param name="size">n, at least 1. Default 3.</param>
    /// <param name="penalty">c, at least 0. Default 1.</param>
    public static IReward Repetition(int size = 3, double penalty = 1)
    {
        CheckRepetition(size, penalty);
        return new FunctionReward("repetition", (completion, _) => -penalty * TextMeasures.RepeatedShare<int>(completion.Tokens, size));
    }

    /// <summary><see cref="Repetition"/> over lower-case words instead of tokens, as open-r1's.</summary>
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

    /// <summary>Reasoning in steps: min(1, markers / target).</summary>
    /// <remarks>open-r1's markers: "Step 1:", a number and a full stop or a bullet at the beginning of a line, "First,", "Second,",
    /// "Next,", "Finally,". Range 0 to 1. Easily hacked: a policy adds empty steps. Use it for a short while only.</remarks>
    /// <param name="target">How many markers are enough, at least 1. Default 3.</param>
    public static IReward StepMarkers(int target = 3)
    {
        Guard.AtLeast(target, 1, nameof(target));
        return new FunctionReward(
            "step_markers",
            (completion, _) => Math.Min(1, TextMeasures.CountMarkers(completion.Text) / (double)target)
        );
    }

    /// <summary>The share of a completion's letters that belong to the scripts of the wanted language.</summary>
    /// <remarks>DeepSeek-R1, arXiv:2501.12948, section 2.3.2, with letters for words. A text without letters gives 1. Range 0 to 1. Tells
    /// scripts apart and not languages: English and French are one here.</remarks>
    /// <param name="scripts">At least one.</param>
    public static IReward LanguageConsistency(WritingScripts scripts)
    {
        if (scripts == WritingScripts.None || (scripts & ~WritingScripts.All) != 0)
            throw new ArgumentOutOfRangeException(nameof(scripts), scripts, "scripts must name at least one script and only known ones");
        return new FunctionReward("language", (completion, _) => TextMeasures.ScriptShare(completion.Text, scripts));
    }

    /// <summary>Countdown and its like: 1 when the completion's answer is an expression of the given numbers with the wanted
    /// value.</summary>
    /// <remarks>See <see cref="NumberPuzzle"/> for what is refused, among it <c>**</c> and <c>//</c>. The answer is looked for as by
    /// <see cref="AnswerExtraction"/>.</remarks>
    /// <param name="puzzle">Numbers and target of a problem.</param>
    /// <param name="wellFormed">The reward of an expression of the right numbers with another value. Default 0.</param>
    /// <param name="places">Where the answer stands. Default: boxed, after hashes or in tags.</param>
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
