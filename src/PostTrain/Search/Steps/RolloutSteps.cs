using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Search;

/// <summary>Steps from a rollout source: a round is one request for each kind of step, whose rows have seeds of their own.</summary>
internal sealed class RolloutSteps : IStepGenerator
{
    private readonly IRolloutSource source;
    private readonly ITokenizer tokenizer;
    private readonly StepOptions options;
    private readonly SamplingOptions sampling;
    private readonly HashSet<int> stopTokens;
    private readonly StopStrings? stopStrings;

    internal RolloutSteps(IRolloutSource source, ITokenizer tokenizer, StepOptions options)
    {
        options.Validate(tokenizer.VocabularySize);
        (this.source, this.tokenizer, this.options) = (source, tokenizer, options);
        sampling =
            options.Sampling.StopTokens.Count > 0 ? options.Sampling : options.Sampling with { StopTokens = tokenizer.EndOfSequenceIds };
        stopTokens = [.. sampling.StopTokens];
        stopStrings = StopStrings.Of(sampling, tokenizer);
    }

    public async ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(
        IReadOnlyList<StepRequest> requests,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(requests);
        var steps = new SearchStep[requests.Count];
        foreach (var group in Enumerable.Range(0, requests.Count).GroupBy(i => (requests[i].ToEnd, requests[i].Greedy)))
        {
            int[] places = [.. group];
            var drawn = await DrawAsync([.. places.Select(i => requests[i])], group.Key.ToEnd, group.Key.Greedy, cancellation)
                .ConfigureAwait(false);
            for (var i = 0; i < places.Length; i++)
                steps[places[i]] = drawn[i];
        }

        return steps;
    }

    private async Task<SearchStep[]> DrawAsync(StepRequest[] requests, bool toEnd, bool greedy, CancellationToken cancellation)
    {
        var before = Array.ConvertAll(requests, request => request.Solution.Steps.SelectMany(step => step.Tokens).ToArray());
        var limits = Array.ConvertAll(before, tokens => Limit(tokens.Length, toEnd));
        var asked = sampling with
        {
            Temperature = greedy ? 0 : sampling.Temperature,
            MaxNewTokens = limits.Max(),
            StopStrings = toEnd ? sampling.StopStrings : [.. sampling.StopStrings, .. options.Separators],
            RowSeeds = [.. requests.Select(request => request.Seed)],
        };
        int[][] prompts = [.. requests.Select((request, i) => (int[])[.. tokenizer.Encode(request.Solution.Problem.Prompt), .. before[i]])];
        var samples = await source.CollectAsync(new RolloutRequest(prompts, asked, 0), cancellation).ConfigureAwait(false);
        return [.. samples.Select((sample, i) => Step(requests[i], sample, before[i], limits[i]))];
    }

    private int Limit(int before, bool toEnd)
    {
        var room = sampling.MaxNewTokens - before;
        if (room < 1)
            throw new ArgumentException(
                $"a solution has {before} tokens, expected room for one more: the limit is {sampling.MaxNewTokens}",
                nameof(before)
            );
        return toEnd ? room : Math.Min(room, options.MaxStepTokens);
    }

    // Rows of a request have one limit; what a row got beyond its own is dropped.
    private SearchStep Step(StepRequest request, RolloutSample sample, int[] before, int limit)
    {
        int[] tokens = [.. sample.Tokens.Take(limit)];
        var end =
            stopTokens.Contains(tokens[^1]) || (stopStrings?.End(tokens) ?? false) ? StepEnd.Finished
            : before.Length + tokens.Length >= sampling.MaxNewTokens ? StepEnd.CutOff
            : sample.Finish == RolloutFinish.Length && tokens.Length < limit ? StepEnd.CutOff
            : StepEnd.Open;
        var text = new TextPieces(tokenizer, request.Solution.Text.Length).Next([.. before, .. tokens], end != StepEnd.Open);
        return new SearchStep(text, end) { Tokens = tokens, LogProb = sample.LogProbs.Take(limit).Sum() };
    }
}
