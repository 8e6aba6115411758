using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Search;

/// <summary>Steps from a local model. All branches of a round are decoded in one batch; the keys and values of prompts and prefixes are
/// copied from the rounds before, not computed again.</summary>
/// <remarks>
/// <para>A prompt is run through the model once for all samples of a problem. What a branch leaves behind is kept up to
/// <see cref="StepOptions.CacheBytes"/>, the least recently used dropped first; a branch whose beginning was dropped is run through the
/// model again, with the same result.</para>
/// <para>A step is a function of the solution so far, the request's seed and the weights, not of the branches beside it, up to the rounding
/// of logits (docs/generation.md). The model is asked without dropout and without gradients. One call at a time.</para>
/// </remarks>
public sealed class SamplerSteps : IStepGenerator, IDisposable
{
    private const int KnownPrompts = 64;

    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly StepOptions options;
    private readonly SamplingOptions sampling;
    private readonly HashSet<int> stopTokens;
    private readonly StopStrings? stopStrings;
    private readonly BranchCache cache;
    private readonly Dictionary<MarkedText, PromptEntry> prompts = [];

    internal SamplerSteps(CausalLm model, ITokenizer tokenizer, StepOptions options)
    {
        options.Validate(model.VocabularySize);
        (this.model, this.tokenizer, this.options) = (model, tokenizer, options);
        sampling = options.Sampling.StoppingAt(model, tokenizer) with { Recording = LogProbRecording.Drawn, FirstRow = 0 };
        stopTokens = [.. sampling.StopTokens];
        stopStrings = StopStrings.Of(sampling, tokenizer);
        cache = new BranchCache(model, tokenizer.PaddingId, options.CacheBytes);
    }

    /// <summary>Tokens that were run through the model as prompts or prefixes so far, each once while it is kept.</summary>
    public long PrefilledTokens => cache.PrefilledTokens;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A solution is complete, or a prompt does not fit the context; the message names it.</exception>
    public ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(IReadOnlyList<StepRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        for (var i = 0; i < requests.Count; i++)
        {
            if (requests[i].Solution.IsComplete)
                throw new ArgumentException($"the solution of request {i} is complete, expected one that goes on", nameof(requests));
        }

        var steps = new SearchStep[requests.Count];
        var training = model.training;
        model.eval();
        try
        {
            foreach (var group in Enumerable.Range(0, requests.Count).GroupBy(i => (requests[i].ToEnd, Greedy: requests[i].Greedy)))
            {
                int[] places = [.. group];
                var drawn = Decode([.. places.Select(i => requests[i])], group.Key.ToEnd, group.Key.Greedy, cancellation);
                for (var i = 0; i < places.Length; i++)
                    steps[places[i]] = drawn[i];
            }
        }
        finally
        {
            if (training)
                model.train();
        }

        return ValueTask.FromResult<IReadOnlyList<SearchStep>>(steps);
    }

    /// <summary>Frees what is kept of the branches. The model stays with the caller.</summary>
    public void Dispose() => cache.Dispose();

    private SearchStep[] Decode(StepRequest[] requests, bool toEnd, bool greedy, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var before = Array.ConvertAll(requests, request => request.Solution.Steps.SelectMany(step => step.Tokens).ToArray());
        var rows = new int[requests.Length][];
        var holders = new IBranchHolder[requests.Length];
        var limits = new int[requests.Length];
        for (var i = 0; i < requests.Length; i++)
        {
            var prompt = Prompt(requests[i].Solution);
            rows[i] = [.. prompt.Ids, .. before[i]];
            holders[i] = requests[i].Solution.Last ?? (IBranchHolder)prompt;
            var room = Math.Min(sampling.MaxNewTokens - before[i].Length, model.ContextLength - rows[i].Length);
            if (room < 1)
                throw new ArgumentException(
                    $"the solution of request {i} has {before[i].Length} tokens behind {prompt.Ids.Length} of the prompt, expected room "
                        + $"for one more: the limit is {sampling.MaxNewTokens}, the context {model.ContextLength}",
                    nameof(requests)
                );
            limits[i] = toEnd ? room : Math.Min(room, options.MaxStepTokens);
        }

        var drawing = sampling with
        {
            Temperature = greedy ? 0 : sampling.Temperature,
            StopStrings = toEnd ? sampling.StopStrings : [.. sampling.StopStrings, .. options.Separators],
            RowSeeds = [.. requests.Select(request => request.Seed)],
        };
        cache.BeginRound();
        var states = new BranchState?[requests.Length];
        var start = cache.Assemble(rows, holders, limits);
        Decoding? decoding = null;
        try
        {
            decoding = new Decoding(
                model,
                rows,
                drawing,
                seed: 0,
                tokenizer.PaddingId,
                tokenizer,
                new DecodingStart(start, limits, before, (from, leaving) => Keep(from, leaving, decoding!))
            );
            start = null;
            do
            {
                cancellation.ThrowIfCancellationRequested();
                decoding.Step();
            } while (decoding.Continues);
            return Steps(decoding);
        }
        finally
        {
            start?.Dispose();
            decoding?.Dispose();
            cache.EndRound();
        }

        void Keep(KeyValueCache from, IReadOnlyList<LeavingRow> leaving, Decoding source)
        {
            LeavingRow[] open = [.. leaving.Where(row => End(row.Row, source.Completion(row.Row)) == StepEnd.Open)];
            if (open.Length == 0)
                return;
            var block = cache.Keep(from, [.. open.Select(row => (long)row.Place)]);
            for (var i = 0; i < open.Length; i++)
                states[open[i].Row] = new BranchState(block, i, open[i].First, [.. rows[open[i].Row], .. source.Completion(open[i].Row)]);
        }

        StepEnd End(int row, ReadOnlySpan<int> tokens) =>
            stopTokens.Contains(tokens[^1]) || (stopStrings?.End(tokens) ?? false) ? StepEnd.Finished
            : before[row].Length + tokens.Length >= sampling.MaxNewTokens || rows[row].Length + tokens.Length >= model.ContextLength
                ? StepEnd.CutOff
            : StepEnd.Open;

        SearchStep[] Steps(Decoding source)
        {
            using var scope = NewDisposeScope();
            using var batch = source.Collect();
            var logProbs = batch.LogProbs.to_type(ScalarType.Float64).sum(1).cpu().data<double>().ToArray();
            var steps = new SearchStep[requests.Length];
            for (var i = 0; i < steps.Length; i++)
            {
                var tokens = batch.Completions[i];
                var end = End(i, tokens);
                var text = new TextPieces(tokenizer, requests[i].Solution.Text.Length).Next([.. before[i], .. tokens], end != StepEnd.Open);
                steps[i] = new SearchStep(text, end)
                {
                    Tokens = tokens,
                    LogProb = logProbs[i],
                    State = states[i],
                };
            }

            return steps;
        }
    }

    private PromptEntry Prompt(PartialSolution solution)
    {
        var text = solution.Problem.Prompt;
        if (prompts.TryGetValue(text, out var known))
            return known;
        if (prompts.Count >= KnownPrompts)
            prompts.Clear();
        return prompts[text] = new PromptEntry(tokenizer.Encode(text));
    }

    private sealed class PromptEntry(int[] ids) : IBranchHolder
    {
        public int[] Ids => ids;

        public BranchState? State { get; set; }
    }
}
