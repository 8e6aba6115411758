using Microsoft.Extensions.AI;
using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>A text source that uses a chat service.</summary>
internal sealed class ChatTextSource(IChatClient client, ChatSourceOptions options) : ITextSource, IEndsWhenCancelled
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
        var texts = new SourcedText[prompts.Count];
        var limits = new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = cancellation };
        await Parallel
            .ForAsync(
                0,
                texts.Length,
                limits,
                async (index, token) => texts[index] = await AskAsync(prompts[index], index, request, token).ConfigureAwait(false)
            )
            .ConfigureAwait(false);
        return texts;
    }

    private async Task<SourcedText> AskAsync(string prompt, int index, TextRequest request, CancellationToken cancellation)
    {
        var settings = options.Chat?.Clone() ?? new ChatOptions();
        settings.Temperature ??= (float)request.Temperature;
        settings.TopP ??= (float)request.TopP;
        settings.MaxOutputTokens ??= request.MaxTokens;
        if (request.StopStrings.Count > 0)
            settings.StopSequences ??= [.. request.StopStrings];
        // Services take a signed number.
        settings.Seed ??= (long)(CounterRandom.Bits(request.Seed, (ulong)index) >> 33);
        var response = await Patience
            .RepeatedAsync(
                token =>
                    TimeLimit.WithinAsync(
                        limited => client.GetResponseAsync([new ChatMessage(ChatRole.User, prompt)], settings, limited),
                        "the chat service",
                        options.Timeout,
                        options.Time,
                        token
                    ),
                options.Retry,
                options.Time,
                cancellation
            )
            .ConfigureAwait(false);
        string text = TextSource.Before(response.Text, request.StopStrings, out bool stopped);
        return new SourcedText(text, stopped || response.FinishReason != ChatFinishReason.Length);
    }
}
