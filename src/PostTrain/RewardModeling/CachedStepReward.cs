using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Step scores of a process reward model that keeps keys and values of the texts it has scored: of a text that goes on from a
/// known one, only the new tokens run through the model.</summary>
/// <remarks>
/// <para>The scores are those of <see cref="LearnedRewards.Steps"/> up to the rounding of logits. Beams and trees score every branch in
/// every round; each token is then computed once instead of once a round.</para>
/// <para>The kept texts belong to the weights of the model: call <see cref="Forget"/> after the weights have changed. The least recently
/// used texts are dropped beyond a limit of memory and run through the model again when they are needed. One call at a time.</para>
/// </remarks>
public sealed class CachedStepReward : IStepReward, IDisposable
{
    private readonly SequenceClassifier model;
    private readonly ITokenizer tokenizer;
    private readonly LearnedRewardOptions options;
    private readonly long limit;
    private readonly List<ScoredBlock> blocks = [];
    private long call;

    /// <summary>Creates a step reward from a trained process reward model, which stays with the caller.</summary>
    /// <param name="model">One score per token, or one per class.</param>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    /// <param name="options">The options; defaults when null.</param>
    /// <param name="cacheBytes">Bytes of keys and values to keep between calls, at least 0. The default is 256 MiB.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public CachedStepReward(
        SequenceClassifier model,
        ITokenizer tokenizer,
        LearnedRewardOptions? options = null,
        long cacheBytes = 256L << 20
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfNegative(cacheBytes);
        (this.model, this.tokenizer, this.options, limit) = (model, tokenizer, options ?? new LearnedRewardOptions(), cacheBytes);
        this.options.Check();
    }

    /// <inheritdoc/>
    public string Name => options.Name;

    /// <summary>Number of tokens that have run through the model.</summary>
    public long ComputedTokens { get; private set; }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<double[]>> ScoreStepsAsync(
        IReadOnlyList<SteppedCompletion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(completions);
        call++;
        var encodings = LearnedRewards.Encode(completions, model, tokenizer, options);
        var scores = completions.Select(completion => Enumerable.Repeat(double.NaN, completion.Steps.Count).ToArray()).ToArray();
        RewardText.Ask(
            model,
            () =>
            {
                foreach (var part in Parts(encodings))
                {
                    cancellation.ThrowIfCancellationRequested();
                    var values = Score(part);
                    foreach (var (row, value) in part.Zip(values))
                        for (var step = 0; step < encodings[row.Index].Ends.Length; step++)
                            scores[row.Index][step] = value[encodings[row.Index].Ends[step]];
                }
                return true;
            }
        );
        Drop();
        return ValueTask.FromResult<IReadOnlyList<double[]>>(scores);
    }

    /// <summary>Drops all kept texts, for example after the model's weights have changed.</summary>
    public void Forget()
    {
        foreach (var block in blocks)
            block.Cache.Dispose();
        blocks.Clear();
    }

    /// <summary>Frees the kept texts.</summary>
    public void Dispose() => Forget();

    // Rows that run together: as many as the options allow, as long as known beginnings and new tokens fit the context side by side.
    private IEnumerable<List<KnownRow>> Parts(StepEncoding[] encodings)
    {
        var part = new List<KnownRow>();
        var rows = Enumerable.Range(0, encodings.Length).Where(i => encodings[i].Ends.Length > 0).Select(i => Find(i, encodings[i].Tokens));
        foreach (var row in rows.OrderBy(row => row.Known).ToArray())
        {
            var (known, added) = (row.Known, Math.Max(row.Added, part.Select(other => other.Added).DefaultIfEmpty().Max()));
            if (part.Count == options.BatchSize || (part.Count > 0 && known + added > model.Body.ContextLength))
            {
                yield return part;
                part = [];
            }
            part.Add(row);
        }
        if (part.Count > 0)
            yield return part;
    }

    // The kept text with the longest common beginning. At least one token is left to run, so that a wholly known text has scores too.
    private KnownRow Find(int index, int[] tokens)
    {
        var best = new KnownRow(index, tokens, 0, null, 0);
        foreach (var block in blocks)
            for (var i = 0; i < block.Rows.Length; i++)
            {
                var common = Math.Min(tokens.Length - 1, tokens.AsSpan().CommonPrefixLength(block.Rows[i].Tokens));
                if (common > best.Known)
                    best = new KnownRow(index, tokens, common, block, i);
            }
        return best;
    }

    private double[][] Score(List<KnownRow> rows)
    {
        var (known, added) = (rows.Max(row => row.Known), rows.Max(row => row.Added));
        using var scope = NewDisposeScope();
        var cache = model.Body.NewCache(rows.Count, known + added);
        try
        {
            if (known > 0)
                Fill(cache, rows, known);
            var (ids, mask) = Layout(rows, known, added);
            ComputedTokens += rows.Sum(row => row.Added);
            var hidden = model.Body.Hidden(
                tensor(ids, [rows.Count, added], device: cache.Device),
                tensor(mask, [rows.Count, known + added], device: cache.Device),
                cache
            );
            var probabilities = ProcessRewardTrainer.Probabilities(model.Head.call(hidden)).to_type(ScalarType.Float64).cpu();
            var flat = probabilities.contiguous().data<double>().ToArray();
            var values = rows.Select((row, i) => (double[])[.. row.Scores, .. flat.AsSpan(i * added, row.Added)]).ToArray();
            blocks.Add(
                new ScoredBlock(cache, [.. rows.Select((row, i) => new ScoredText(row.Tokens, values[i], known - row.Known))], call)
            );
            return values;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    private void Fill(KeyValueCache cache, List<KnownRow> rows, int known)
    {
        ScoredBlock[] sources = [.. rows.Select(row => row.Block).OfType<ScoredBlock>().Distinct()];
        foreach (var source in sources)
            source.Used = call;
        var reserved = cache.Reserved;
        cache.Fill(
            [.. sources.Select(source => source.Cache)],
            [.. rows.Select(row => row.Block is null ? (0, 0) : (Array.IndexOf(sources, row.Block), row.Row))],
            [.. rows.Select(row => Positions(reserved, known - row.Known, known, row.Block?.Rows[row.Row].First ?? 0))]
        );
    }

    // A soft prompt's positions, padding (anything: the mask hides it), the known tokens.
    private static long[] Positions(int reserved, int padding, int width, int first) =>
        [
            .. Enumerable
                .Range(0, reserved + width)
                .Select(i =>
                    i < reserved ? i
                    : i < reserved + padding ? 0L
                    : (long)first + i - padding
                ),
        ];

    // Known beginnings stand at the right of their columns, new tokens at the left of theirs: each row is contiguous.
    private (long[] Ids, long[] Mask) Layout(List<KnownRow> rows, int known, int added)
    {
        var ids = new long[rows.Count * added];
        var mask = new long[rows.Count * (known + added)];
        Array.Fill(ids, tokenizer.PaddingId);
        for (var i = 0; i < rows.Count; i++)
        {
            for (var j = 0; j < rows[i].Added; j++)
                ids[i * added + j] = rows[i].Tokens[rows[i].Known + j];
            mask.AsSpan(i * (known + added) + known - rows[i].Known, rows[i].Tokens.Length).Fill(1);
        }
        return (ids, mask);
    }

    private void Drop()
    {
        var bytes = blocks.Sum(block => block.Cache.Bytes);
        foreach (var block in blocks.OrderBy(block => block.Used).ToArray())
        {
            if (bytes <= limit)
                return;
            bytes -= block.Cache.Bytes;
            block.Cache.Dispose();
            blocks.Remove(block);
        }
    }

    /// <summary>A text to score and the kept text whose beginning it shares.</summary>
    private sealed record KnownRow(int Index, int[] Tokens, int Known, ScoredBlock? Block, int Row)
    {
        public int Added => Tokens.Length - Known;

        public ReadOnlySpan<double> Scores => Block is null ? [] : Block.Rows[Row].Scores.AsSpan(0, Known);
    }

    /// <summary>A kept text: its tokens, their scores, and the place of its first token in the cache.</summary>
    private sealed record ScoredText(int[] Tokens, double[] Scores, int First);

    /// <summary>Texts that were scored together.</summary>
    private sealed class ScoredBlock(KeyValueCache cache, ScoredText[] rows, long used)
    {
        public KeyValueCache Cache => cache;

        public ScoredText[] Rows => rows;

        /// <summary>The call that used it last.</summary>
        public long Used { get; set; } = used;
    }
}
