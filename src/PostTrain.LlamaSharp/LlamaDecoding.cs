using LLama.Native;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Logits;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp;

/// <summary>Rows of a request that llama.cpp decodes together. Each token is drawn as <see cref="Sampler"/> draws it, with the same random
/// number; only the scores are llama.cpp's.</summary>
internal sealed class LlamaDecoding : IDisposable
{
    private readonly LlamaEngine engine;
    private readonly RolloutRequest request;
    private readonly SamplingOptions sampling;
    private readonly TokenSampler sampler;
    private readonly StopStrings? stopStrings;
    private readonly HashSet<int> stops;
    private readonly ForcedTokens? forced;
    private readonly LLamaBatch batch = new();
    private readonly float[] scores;
    private readonly List<int>[] tokens;
    private readonly List<double>[] logProbs;
    private readonly List<double>[] masses;
    private readonly bool needsContext;
    private readonly int first;

    // Rows that get another token, by their number in this decoding, which is the number of their sequence too.
    private List<int> active;

    internal LlamaDecoding(LlamaEngine engine, RolloutRequest request, ITokenizer tokenizer, int first, int count)
    {
        (this.engine, this.request, this.first) = (engine, request, first);
        sampling = request.Sampling;
        sampler = new TokenSampler(sampling, engine.VocabularySize, CPU, keepsMass: true);
        stopStrings = StopStrings.Of(sampling, tokenizer);
        stops = [.. sampling.StopTokens];
        if (sampling.Rules.Count > 0)
            forced = new ForcedTokens(sampling.Rules, count, engine.VocabularySize, null);
        scores = new float[(long)count * engine.VocabularySize];
        (tokens, logProbs, masses) = (Lists<int>(count), Lists<double>(count), Lists<double>(count));
        needsContext =
            sampling.SequenceBiases.Count > 0
            || sampling.BadWords.Count > 0
            || sampling.RepetitionPenalty != 1
            || sampling.NoRepeatNGramSize > 0
            || sampling.Processors.Count > 0;
        active = [.. Enumerable.Range(0, count)];
    }

    /// <summary>True for a row that gets another token.</summary>
    internal bool Continues => active.Count > 0;

    /// <summary>Tokens that the rows need in the cache: each prompt of a group once.</summary>
    internal int Room => Groups().Sum(group => Prompt(group[0]).Length) + active.Sum(row => request.LimitOf(first + row));

    /// <summary>Runs the prompts.</summary>
    internal void Start()
    {
        var wanted = new List<(int, int[])>();
        foreach (var group in Groups())
        {
            var prompt = Prompt(group[0]);
            LLamaSeqId[] sequences = [.. group.Select(row => (LLamaSeqId)row)];
            for (var i = 0; i < prompt.Length; i++)
            {
                if (batch.TokenCount == engine.BatchSize)
                    Run(wanted);
                var last = i == prompt.Length - 1;
                var place = batch.Add(prompt[i], i, sequences, last);
                if (last)
                    wanted.Add((place, group));
            }
        }
        Run(wanted);
    }

    /// <summary>Draws a token for each row that has not ended, and runs those that go on. Returns the rows that ended.</summary>
    internal IReadOnlyList<RolloutSample> Step()
    {
        var generated = tokens[active[0]].Count;
        Draw(generated);
        var ended = active.Where(IsComplete).ToArray();
        var samples = ended.Select(Sample).ToArray();
        active = [.. active.Where(row => !IsComplete(row))];
        var wanted = new List<(int, int[])>(active.Count);
        foreach (var row in active)
        {
            if (batch.TokenCount == engine.BatchSize)
                Run(wanted);
            var place = batch.Add(tokens[row][^1], Prompt(row).Length + generated, (LLamaSeqId)row, true);
            wanted.Add((place, [row]));
        }
        Run(wanted);
        return samples;
    }

    public void Dispose() => sampler.Dispose();

    private void Draw(int generated)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var size = engine.VocabularySize;
        var rows = new float[active.Count * size];
        for (var i = 0; i < active.Count; i++)
            scores.AsSpan(active[i] * size, size).CopyTo(rows.AsSpan(i * size));
        var logits = tensor(rows, [active.Count, size]);
        ScoreCheck.Require(logits, "llama.cpp's logits", generated, Number);
        var (ids, mask) = Contexts();
        var uniforms = tensor([.. active.Select(row => Uniform(row, generated))], [active.Count, 1]);
        var (drawn, values, kept) = sampler.Draw(
            logits,
            ids,
            mask,
            generated,
            uniforms,
            (changed, bans) => ScoreCheck.Require(changed, "The scores after the options' processors", generated, Number, bans),
            forced is null ? null : Replaced
        );
        Take(drawn.data<long>().ToArray(), Doubles(values), kept is null ? null : Doubles(kept));

        int? Number(int place) => first + active[place];
    }

    private void Take(long[] drawn, double[] values, double[]? kept)
    {
        for (var i = 0; i < active.Count; i++)
        {
            tokens[active[i]].Add((int)drawn[i]);
            logProbs[active[i]].Add(values[i]);
            if (kept is not null)
                masses[active[i]].Add(kept[i]);
        }
    }

    private bool IsComplete(int row) => HasEnded(row) || tokens[row].Count == request.LimitOf(first + row);

    private bool HasEnded(int row) => stops.Contains(tokens[row][^1]) || (stopStrings?.End(tokens[row].ToArray()) ?? false);

    private RolloutSample Sample(int row) =>
        new(first + row, [.. tokens[row]], [.. logProbs[row]], HasEnded(row) ? RolloutFinish.Stop : RolloutFinish.Length)
        {
            KeptMass = masses[row].Count == tokens[row].Count ? [.. masses[row]] : null,
        };

    private Tensor Replaced(Tensor drawn)
    {
        var ids = drawn.data<long>().ToArray();
        for (var i = 0; i < ids.Length; i++)
            ids[i] = forced!.Next(active[i], tokens[active[i]].ToArray(), (int)ids[i]);
        return tensor(ids, [ids.Length, 1]);
    }

    private double Uniform(int row, int generated)
    {
        var own = sampling.RowSeeds?[first + row] ?? (ulong)(sampling.FirstRow + first + row);
        return CounterRandom.OpenUniform(request.Seed, own, (ulong)generated);
    }

    // Prompts and tokens so far, padded on the left; only options that look back read them.
    private (Tensor Ids, Tensor Mask) Contexts()
    {
        if (!needsContext)
            return (zeros([active.Count, 1], ScalarType.Int64), zeros([active.Count, 1], ScalarType.Int64));
        var width = active.Max(row => Prompt(row).Length + tokens[row].Count);
        var (ids, mask) = (new long[active.Count * width], new long[active.Count * width]);
        for (var i = 0; i < active.Count; i++)
        {
            int[] all = [.. Prompt(active[i]), .. tokens[active[i]]];
            for (int j = 0, place = (i + 1) * width - all.Length; j < all.Length; j++, place++)
                (ids[place], mask[place]) = (all[j], 1);
        }
        return (tensor(ids, [active.Count, width]), tensor(mask, [active.Count, width]));
    }

    private void Run(List<(int, int[])> wanted)
    {
        if (batch.TokenCount == 0)
            return;
        engine.Decode(batch, wanted, scores);
        batch.Clear();
        wanted.Clear();
    }

    // Rows of equal prompts side by side.
    private IEnumerable<int[]> Groups()
    {
        for (int start = 0, next; start < active.Count; start = next)
        {
            next = start + 1;
            while (next < active.Count && Prompt(start).AsSpan().SequenceEqual(Prompt(next)))
                next++;
            yield return [.. Enumerable.Range(start, next - start)];
        }
    }

    private int[] Prompt(int row) => request.Prompts[first + row];

    private static List<T>[] Lists<T>(int count) => [.. Enumerable.Range(0, count).Select(_ => new List<T>())];

    private static double[] Doubles(Tensor values) => values.to_type(ScalarType.Float64).data<double>().ToArray();
}
