using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>A text source that asks a rollout source.</summary>
internal sealed class RolloutTextSource(IRolloutSource source, ITokenizer tokenizer, SamplingOptions sampling) : ITextSource
{
    public async Task<IReadOnlyList<SourcedText>> CompleteAsync(
        IReadOnlyList<MarkedText> prompts,
        TextRequest request,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(request);
        request.Validated();
        var asked = sampling with
        {
            Temperature = request.Temperature,
            TopP = request.TopP,
            MaxNewTokens = request.MaxTokens,
            StopStrings = [.. sampling.StopStrings, .. request.StopStrings],
            StopTokens = sampling.StopTokens.Count > 0 ? sampling.StopTokens : tokenizer.EndOfSequenceIds,
        };
        int[][] ids = [.. prompts.Select(prompt => tokenizer.Encode(prompt))];
        var samples = await source.CollectAsync(new RolloutRequest(ids, asked, request.Seed), cancellation).ConfigureAwait(false);
        return [.. samples.Select(sample => Text(sample, asked.StopStrings))];
    }

    private SourcedText Text(RolloutSample sample, IReadOnlyList<string> stops)
    {
        var text = TextSource.Before(tokenizer.Decode(sample.Tokens), stops, out var stopped);
        return new SourcedText(text, stopped || sample.Finish == RolloutFinish.Stop);
    }
}
