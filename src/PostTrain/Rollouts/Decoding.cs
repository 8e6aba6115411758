using System.Runtime.InteropServices;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Rollouts.Logits;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>A batch of completions while it grows, a token a step. Rows that have ended leave the working tensors when enough of them
/// have.</summary>
/// <remarks>No scope or mode stays open between calls, so that a caller may wait there. Its tensors outlive dispose scopes.</remarks>
internal sealed class Decoding : IDisposable
{
    // Dropping rows copies the cache of the others: worth it for a quarter of them, and then all copies together cost at most three of the
    // first cache.
    private const double KeptShare = 0.75;

    private readonly CausalLm model;
    private readonly SamplingOptions options;
    private readonly ulong seed;
    private readonly int paddingId;
    private readonly PromptBatch batch;
    private readonly StopStrings? stopStrings;
    private readonly HashSet<int> stops;
    private readonly List<int>[] completions;
    private readonly bool[] ended;
    private readonly int room;
    private readonly KeyValueCache cache;
    private readonly TokenSampler sampler;
    private readonly DecodingStart? start;
    private readonly ForcedTokens? forced;
    private readonly List<double>[]? masses;
    private readonly SharedPrompts prompted;

    // All rows, as they will be given back.
    private readonly Tensor ids;
    private readonly Tensor mask;
    private Tensor? logProbs;

    // The rows at work: their numbers, and copies of their part of the above (the same tensors while no row has left).
    private int[] rows;
    private Tensor workingIds;
    private Tensor workingMask;
    private Tensor? workingLogProbs;
    private int seen;

    // Columns of padding at the start that the cache has forgotten.
    private int forgotten;

    /// <exception cref="ArgumentException">A prompt or an option is not valid.</exception>
    public Decoding(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        SamplingOptions options,
        ulong seed,
        int paddingId,
        ITokenizer? tokenizer,
        DecodingStart? start = null,
        bool keepsMass = false
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(model.VocabularySize);
        (this.model, this.options, this.seed, this.paddingId, this.start) = (model, options, seed, paddingId, start);
        batch = PromptBatch.Create(prompts, options.MaxNewTokens, paddingId, model.InputVocabularySize, model.ContextLength, start?.Limits);
        if (options.RowSeeds is { } seeds && seeds.Count != batch.Rows)
            throw new ArgumentException(
                $"RowSeeds has {seeds.Count} numbers, expected {batch.Rows}, one for each prompt.",
                nameof(options)
            );
        stopStrings = StopStrings.Of(options, tokenizer);
        stops = [.. options.StopTokens];
        rows = [.. Enumerable.Range(0, batch.Rows)];
        completions = [.. rows.Select(_ => new List<int>())];
        ended = new bool[batch.Rows];
        room = Math.Min(batch.Width, model.ContextLength);
        if (options.Rules.Count > 0)
            forced = new ForcedTokens(options.Rules, batch.Rows, model.VocabularySize, start?.Before);
        prompted = SharedPrompts.Of(prompts);
        cache = start?.Cache ?? model.NewCache(prompted.Rows.Length, room);
        seen = start?.Cache is null ? 0 : batch.PromptLength - 1;
        sampler = new TokenSampler(options, model.VocabularySize, cache.Device, keepsMass);
        if (keepsMass)
            masses = [.. rows.Select(_ => new List<double>())];
        workingIds = ids = tensor(batch.Ids, [batch.Rows, batch.Width], device: cache.Device).DetachFromDisposeScope();
        workingMask = mask = tensor(batch.Mask, [batch.Rows, batch.Width], device: cache.Device).DetachFromDisposeScope();
    }

    /// <summary>Tokens that the rows at work have.</summary>
    public int Length { get; private set; }

    /// <summary>True if there is a row that gets another token.</summary>
    public bool Continues => rows.Length > 0 && Length < batch.NewTokens;

    /// <summary>The tokens of a row's completion so far; not valid after the next step.</summary>
    public ReadOnlySpan<int> Completion(int row) => CollectionsMarshal.AsSpan(completions[row]);

    /// <summary>True if a row has ended by a stop.</summary>
    public bool HasEnded(int row) => ended[row];

    /// <summary>True if a row gets no further token: it has ended by a stop, or has as many as it may have.</summary>
    public bool IsComplete(int row) => ended[row] || completions[row].Count == batch.Limits[row];

    /// <summary>Draws a token for each row that has not ended; gives these rows.</summary>
    public IReadOnlyList<int> Step()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var column = batch.PromptLength + Length;
        if (column - forgotten > room)
            MakeRoom();
        var logits = NextLogits(column);
        seen = column;
        workingLogProbs ??= logProbs = zeros(
                [batch.Rows, batch.NewTokens],
                dtype: Precision.IsHalf(logits.dtype) ? ScalarType.Float32 : logits.dtype,
                device: logits.device
            )
            .DetachFromDisposeScope();
        var uniforms = Uniforms();
        var direct = sampler.DrawDirectly(
            logits,
            Length,
            uniforms,
            row => Reader(row) is not null,
            forced is null ? null : tokens => Replace(tokens),
            workingLogProbs
        );
        if (direct is not null)
            Write(direct, column);
        else
            direct = DrawByTensors(logits, uniforms, column);
        Length++;
        return Take(direct);
    }

    private Tensor NextLogits(int column)
    {
        var (given, real) = (workingIds.narrow(1, seen, column - seen), workingMask.narrow(1, forgotten, column - forgotten));
        if (Length > 0 || start?.Cache is not null || prompted.Rows.Length == rows.Length)
            return model.NextLogits(given, real, cache);
        // Equal prompts are run once.
        using var once = tensor(prompted.Rows, device: cache.Device);
        using var all = tensor(prompted.Places, device: cache.Device);
        var logits = model.NextLogits(given.index_select(0, once), real.index_select(0, once), cache);
        cache.SelectRows(all);
        return logits.index_select(0, all);
    }

    private long[] DrawByTensors(Tensor logits, double[] uniforms, int column)
    {
        var (context, real) = (workingIds.narrow(1, 0, column), workingMask.narrow(1, 0, column));
        ScoreCheck.Require(logits, "The model's logits", Length, Reader);
        var (tokens, drawn, mass) = sampler.Draw(
            logits,
            context,
            real,
            Length,
            tensor(uniforms, [rows.Length, 1], device: cache.Device),
            (scores, bans) => ScoreCheck.Require(scores, "The scores after the options' processors", Length, Reader, bans),
            forced is null ? null : Replaced
        );
        workingIds.narrow(1, column, 1).copy_(tokens);
        workingMask.narrow(1, column, 1).fill_(1);
        workingLogProbs!.narrow(1, Length, 1).copy_(drawn);
        if (mass is not null)
            KeepMass(mass.to_type(ScalarType.Float64).cpu().data<double>().ToArray());
        return tokens.cpu().data<long>().ToArray();
    }

    private unsafe void Write(long[] tokens, int column)
    {
        var width = batch.Width;
        long* own = TensorMemory.Address<long>(workingIds),
            real = TensorMemory.Address<long>(workingMask);
        for (var row = 0; row < tokens.Length; row++)
            (own[(long)row * width + column], real[(long)row * width + column]) = (tokens[row], 1);
    }

    /// <summary>A row that is complete, with the log-probs of the drawing pass, and what the truncation kept where it is known for every
    /// token.</summary>
    public RolloutSample Sample(int row)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tokens = completions[row].ToArray();
        // A row that has left is written back; one at work stands in the working tensors.
        var place = ReferenceEquals(workingLogProbs, logProbs) ? -1 : Array.IndexOf(rows, row);
        var values = (place < 0 ? logProbs!.select(0, row) : workingLogProbs!.select(0, place)).narrow(0, 0, tokens.Length);
        return new RolloutSample(
            row,
            tokens,
            values.to_type(ScalarType.Float64).cpu().data<double>().ToArray(),
            ended[row] ? RolloutFinish.Stop : RolloutFinish.Length
        )
        {
            KeptMass = masses is not null && masses[row].Count == tokens.Length ? [.. masses[row]] : null,
        };
    }

    /// <summary>The batch as far as it has come, at least one step; the caller disposes it.</summary>
    public RolloutBatch Collect()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        WriteBack();
        var (start, length) = (batch.PromptLength, Length);
        // What a row drew after its end, while it was still at work, is no token.
        var lengths = tensor(completions.Select(completion => (long)completion.Count).ToArray(), device: ids.device).unsqueeze(1);
        var counted = arange(length, dtype: ScalarType.Int64, device: ids.device).unsqueeze(0).lt(lengths);
        var padding = counted.logical_not();
        // Copies, so that the room for tokens that were not drawn is freed.
        return new RolloutBatch(
            cat([ids.narrow(1, 0, start), ids.narrow(1, start, length).masked_fill(padding, paddingId)], 1),
            cat([mask.narrow(1, 0, start), counted.to_type(ScalarType.Int64)], 1),
            counted.to_type(ScalarType.Float32),
            logProbs!.narrow(1, 0, length).masked_fill(padding, 0),
            start,
            [.. completions.Select(completion => completion.ToArray())],
            [.. ended]
        );
    }

    public void Dispose()
    {
        ReleaseWorking();
        ids.Dispose();
        mask.Dispose();
        logProbs?.Dispose();
        cache.Dispose();
        sampler.Dispose();
    }

    // The prompt whose next token a row of the working tensors decides.
    private int? Reader(int row) => IsComplete(rows[row]) ? null : rows[row];

    private double[] Uniforms()
    {
        var values = new double[rows.Length];
        for (var i = 0; i < rows.Length; i++)
            values[i] = CounterRandom.OpenUniform(seed, options.RowSeeds?[rows[i]] ?? (ulong)(options.FirstRow + rows[i]), (ulong)Length);
        return values;
    }

    private Tensor Replaced(Tensor drawn)
    {
        var tokens = drawn.cpu().data<long>().ToArray();
        return Replace(tokens) ? tensor(tokens, [rows.Length, 1], device: cache.Device) : drawn;
    }

    private bool Replace(long[] tokens)
    {
        var changed = false;
        for (var i = 0; i < rows.Length; i++)
        {
            if (IsComplete(rows[i]))
                continue;
            var token = forced!.Next(rows[i], Completion(rows[i]), (int)tokens[i]);
            changed |= token != tokens[i];
            tokens[i] = token;
        }

        return changed;
    }

    private void KeepMass(double[] mass)
    {
        for (var i = 0; i < rows.Length; i++)
            if (!IsComplete(rows[i]))
                masses![rows[i]].Add(mass[i]);
    }

    private List<int> Take(long[] tokens)
    {
        var drawn = new List<int>(rows.Length);
        var alive = new List<long>(rows.Length);
        for (var i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            if (IsComplete(row))
                continue;
            var token = (int)tokens[i];
            completions[row].Add(token);
            drawn.Add(row);
            ended[row] = stops.Contains(token) || (stopStrings?.End(Completion(row)) ?? false);
            if (!IsComplete(row))
                alive.Add(i);
        }

        if (alive.Count == 0 || (alive.Count <= KeptShare * rows.Length && Length < batch.NewTokens))
            Keep(alive);
        return drawn;
    }

    // The cache is as long as the context. Rows that fill it are complete; what the others have at their start is padding.
    private void MakeRoom()
    {
        var alive = Enumerable.Range(0, rows.Length).Where(i => !IsComplete(rows[i])).Select(i => (long)i).ToList();
        if (alive.Count < rows.Length)
            Keep(alive);
        var padding = rows.Min(row => batch.PromptLength - batch.Lengths[row]) - forgotten;
        cache.DropFirst(padding);
        forgotten += padding;
    }

    private void Keep(List<long> alive)
    {
        WriteBack();
        Leave(alive);
        var left = alive.Select(i => rows[i]).ToArray();
        if (left.Length > 0)
        {
            using var kept = tensor(alive.ToArray(), device: cache.Device);
            var (nextIds, nextMask, nextLogProbs) = (
                workingIds.index_select(0, kept),
                workingMask.index_select(0, kept),
                workingLogProbs!.index_select(0, kept)
            );
            ReleaseWorking();
            (workingIds, workingMask, workingLogProbs) = (
                nextIds.DetachFromDisposeScope(),
                nextMask.DetachFromDisposeScope(),
                nextLogProbs.DetachFromDisposeScope()
            );
            cache.SelectRows(kept);
        }

        rows = left;
    }

    private void Leave(List<long> alive)
    {
        if (start is null)
            return;
        var kept = alive.ToHashSet();
        LeavingRow[] leaving =
        [
            .. Enumerable
                .Range(0, rows.Length)
                .Where(i => !kept.Contains(i))
                .Select(i => new LeavingRow(rows[i], i, batch.PromptLength - batch.Lengths[rows[i]] - forgotten)),
        ];
        if (leaving.Length > 0)
            start.Leaving(cache, leaving);
    }

    private void WriteBack()
    {
        if (ReferenceEquals(workingIds, ids) || rows.Length == 0)
            return;
        using var places = tensor(rows.Select(row => (long)row).ToArray(), device: cache.Device);
        ids.index_copy_(0, places, workingIds);
        mask.index_copy_(0, places, workingMask);
        logProbs!.index_copy_(0, places, workingLogProbs!);
    }

    private void ReleaseWorking()
    {
        if (ReferenceEquals(workingIds, ids))
            return;
        workingIds.Dispose();
        workingMask.Dispose();
        workingLogProbs?.Dispose();
    }
}
