using PostTrain.Text;

namespace PostTrain.Rollouts.Servers;

/// <summary>Ends of completions, by the options of the sampling.</summary>
internal sealed class ServerStops(SamplingOptions sampling, ITokenizer tokenizer)
{
    private readonly HashSet<int> tokens = [.. sampling.StopTokens];
    private readonly StopStrings? strings = StopStrings.Of(sampling, tokenizer);

    /// <summary>Cuts a completion behind its first stop.</summary>
    internal (int[] Tokens, double[] LogProbs, RolloutFinish Finish) Cut(ServerAnswer answer, int limit)
    {
        for (var end = 1; end <= answer.Tokens.Length; end++)
        {
            if (tokens.Contains(answer.Tokens[end - 1]) || (strings?.End(answer.Tokens.AsSpan(0, end)) ?? false))
                return (answer.Tokens[..end], answer.LogProbs.Length >= end ? answer.LogProbs[..end] : answer.LogProbs, RolloutFinish.Stop);
        }
        // Another end that the server knows, such as the model's own.
        var stopped = answer.Reason == "stop" && answer.Tokens.Length < limit;
        return (answer.Tokens, answer.LogProbs, stopped ? RolloutFinish.Stop : RolloutFinish.Length);
    }
}
