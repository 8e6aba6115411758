using PostTrain.Rollouts.Logits;

namespace PostTrain.Rollouts.Beams;

/// <summary>The search of one prompt: hypotheses that go on and hypotheses that are finished. Only numbers; the tensors are the
/// caller's.</summary>
internal sealed class BeamPrompt
{
    // Far under any score, and finite: a place without a hypothesis.
    private const double Nothing = -1e9;

    private readonly BeamOptions options;
    private readonly HashSet<int> stops;
    private readonly StopStrings? stopStrings;
    private readonly int limit;
    private readonly int prompt;
    private readonly List<BeamHypothesis> finished = [];
    private readonly double[] scores;
    private Node?[] paths;
    private int length;
    private bool mayImprove = true;
    private bool allEnd;

    /// <param name="options">How to search.</param>
    /// <param name="sampling">Which tokens end.</param>
    /// <param name="limit">The most tokens.</param>
    /// <param name="prompt">The prompt's number.</param>
    /// <param name="stopStrings">Which texts end.</param>
    public BeamPrompt(BeamOptions options, SamplingOptions sampling, int limit, int prompt, StopStrings? stopStrings = null)
    {
        this.stopStrings = stopStrings;
        this.options = options;
        this.limit = limit;
        this.prompt = prompt;
        stops = [.. sampling.StopTokens];
        paths = new Node?[options.Beams];
        // All begin with the same prompt: the first alone is extended.
        scores = [0, .. Enumerable.Repeat(Nothing, options.Beams - 1)];
    }

    /// <summary>The prompt's number.</summary>
    public int Prompt => prompt;

    /// <summary>Sums of log-probs of the hypotheses that go on.</summary>
    public IReadOnlyList<double> Scores => scores;

    /// <summary>Whether a place holds a hypothesis.</summary>
    public bool Holds(int place) => scores[place] > Nothing / 2;

    private bool IsFull => finished.Count == options.Beams;

    /// <summary>Whether the search goes on.</summary>
    public bool Continues => mayImprove && !(options.Stopping == BeamStopping.WhenFull && IsFull) && !allEnd;

    /// <summary>Takes the best extensions, best first, as beam · V + token; says which hypotheses go on, as row of the batch and next
    /// token.</summary>
    /// <param name="best">Sums of log-probs.</param>
    /// <param name="places">Where they come from.</param>
    /// <param name="vocabularySize">V.</param>
    /// <param name="parents">Gets the rows that go on.</param>
    /// <param name="tokens">Gets their next tokens.</param>
    /// <param name="firstRow">The row of the first place.</param>
    /// <param name="bans">Names of the options that ban continuations of a place.</param>
    /// <exception cref="InvalidOperationException">Nothing is finished and nothing can go on; the message names the prompt, the step and
    /// the options.</exception>
    public void Advance(
        ReadOnlySpan<double> best,
        ReadOnlySpan<long> places,
        int vocabularySize,
        Span<long> parents,
        Span<long> tokens,
        int firstRow,
        Func<int, IReadOnlyList<string>> bans
    )
    {
        // A hypothesis that cannot go on is dropped beside others; without any, there is nothing to give back.
        if (!(best[0] > Nothing / 2) && finished.Count == 0)
        {
            string[] names = [.. Enumerable.Range(0, scores.Length).Where(Holds).SelectMany(bans).Distinct()];
            throw new InvalidOperationException(
                $"Every continuation of prompt {prompt} is banned at step {length}{ScoreCheck.By(names)}, "
                    + "expected options that leave at least one."
            );
        }

        length++;
        var next = new Node?[paths.Length];
        var going = 0;
        allEnd = true;
        var nextScores = new double[paths.Length];
        for (var i = 0; i < best.Length; i++)
        {
            var (parent, token) = ((int)(places[i] / vocabularySize), (int)(places[i] % vocabularySize));
            // A place without a hypothesis has no text.
            var stopped =
                stops.Contains(token)
                || (best[i] > Nothing / 2 && (stopStrings?.End(new Node(paths[parent], token).ToArray(length)) ?? false));
            var ends = stopped || length == limit;
            allEnd &= ends;
            if (ends)
            {
                if (i < paths.Length && best[i] > Nothing / 2)
                    Finish(
                        new BeamHypothesis(
                            new Node(paths[parent], token).ToArray(length),
                            best[i] / Math.Pow(length, options.LengthPenalty),
                            stopped
                        )
                    );
                continue;
            }

            if (going == paths.Length)
                continue;
            next[going] = new Node(paths[parent], token);
            (nextScores[going], parents[going], tokens[going]) = (best[i], firstRow + parent, token);
            going++;
        }

        for (; going < paths.Length; going++)
            (nextScores[going], parents[going], tokens[going]) = (Nothing, firstRow, 0);
        paths = next;
        nextScores.CopyTo(scores, 0);
        mayImprove = mayImprove && (!IsFull || BestPossible() > finished[^1].Score);
    }

    /// <summary>The finished hypotheses that were asked for, best first.</summary>
    public IReadOnlyList<BeamHypothesis> Best() => [.. finished.Take(options.Returned)];

    private double BestPossible()
    {
        var reach = options.Stopping == BeamStopping.WhenNoBetterIsPossible && options.LengthPenalty > 0 ? limit : length;
        return scores[0] / Math.Pow(reach, options.LengthPenalty);
    }

    private void Finish(BeamHypothesis hypothesis)
    {
        var place = finished.FindIndex(other => other.Score < hypothesis.Score);
        finished.Insert(place < 0 ? finished.Count : place, hypothesis);
        if (finished.Count > options.Beams)
            finished.RemoveAt(options.Beams);
    }

    private sealed record Node(Node? Before, int Token)
    {
        public int[] ToArray(int length)
        {
            var tokens = new int[length];
            for (var node = this; node is not null; node = node.Before)
                tokens[--length] = node.Token;
            return tokens;
        }
    }
}
